static int times;
static int fast(int n) { return n + 10; }
__attribute__((unused)) static int slow(int n) { return n + 20; }
static volatile int want_slow;
static int (*resolve(void))(int) {
    times++;
    return want_slow ? slow : fast;
}
int global_ifunc(int) __attribute__((ifunc("resolve")));
int other_calls(int n) { return global_ifunc(n) + 1; }
int (*other_pointer(void))(int) { return global_ifunc; }
int resolved_times(void) { return times; }
