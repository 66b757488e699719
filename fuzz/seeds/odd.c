/* Bounded sections, an indirect function, relative data, weak and hidden symbols, an alias. */
struct record { int (*function)(void); int number; };
__attribute__((section("records"), used)) static const struct record one = {0, 1};
extern const struct record __start_records[], __stop_records[];
static int fast(void) { return 1; }
static int (*choose(void))(void) { return fast; }
int chosen(void) __attribute__((ifunc("choose")));
__attribute__((weak)) int weak_one(void) { return 2; }
__attribute__((visibility("hidden"))) int hidden_one(void) { return 3; }
int alias_one(void) __attribute__((alias("weak_one")));
__attribute__((aligned(64), section(".rodata.pointers"))) int (*const pointers[])(void) = {weak_one, hidden_one};
__asm__(".section .rodata.relative,\"a\"\n.long weak_one - .\n.long chosen - .\n.text\n");
int count(void) { return (int)(__stop_records - __start_records) + chosen() + alias_one() + pointers[1](); }
