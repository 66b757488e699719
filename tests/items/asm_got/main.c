/* The GOT-relative relocations, one small assembly function each. */
#include <stdio.h>

int value = 31337;
int add_one(int n) { return n + 1; }
const void *got_base32(void), *got_base64(void);
int by_gotpcrel(void), by_gotpcrel_data(void), by_gotoff64(void), by_got64(void);
int by_pltoff64(int), call_gotpcrelx(int), tail_gotpcrelx(int), cmp_gotpcrelx(const void *);
int by_gotpcrel64(void), call_libc(const char *), push_gotpcrel(int), test_gotpcrelx(void);

int main(void) {
    printf("%d\n", got_base32() == got_base64() && got_base32());
    printf("%d %d %d %d\n", by_gotpcrel(), by_gotpcrel_data(), by_gotoff64(), by_got64());
    printf("%d %d %d\n", by_pltoff64(1), call_gotpcrelx(2), tail_gotpcrelx(3));
    printf("%d %d %d\n", cmp_gotpcrelx(&value), cmp_gotpcrelx(&main), test_gotpcrelx());
    printf("%d %d\n", by_gotpcrel64(), push_gotpcrel(4));
    printf("%d\n", call_libc("-17"));
    return 0;
}
