/* Code and data put into sections of other names. */
#include <stdio.h>
#define IN(name) __attribute__((section(name)))
IN(".text.special") int in_text(int n) { return n + 1; }
IN("my_code") int in_own(int n) { return in_text(n) * 2; }
IN("my_data") int own_data = 6;
IN("my_const") const int own_rodata = 7;
IN(".data.named") int named = 8;
IN(".bss.named") int named_bss;
extern int elsewhere;
int other_in_own(int n);
int main(void) {
    named_bss += own_data;
    own_data++;
    printf("%d %d %d %d %d\n", in_text(1), in_own(2), own_data, own_rodata, named + named_bss);
    printf("%d %d\n", elsewhere, other_in_own(4));
    return 0;
}
