/* Jump tables in read-only sections, of text in COMDAT-free and cold sections. */
#include <stdio.h>
int other_switch(int n, int m);
static int cases(int n) {
    switch (n) {
    case 0: return printf("zero ");
    case 1: return printf("one ") * 2;
    case 2: return puts("two") > 0;
    case 3: return other_switch(n, 1);
    case 4: return -n;
    case 5: return n * n;
    case 6: return other_switch(n, n);
    case 9: return putchar('9');
    default: return 1000 + n;
    }
}
int main(void) {
    for (int i = -1; i < 11; i++) printf("%d\n", cases(i));
    for (int i = 0; i < 8; i++) printf("%d ", other_switch(i, 8 - i));
    printf("\n");
    return 0;
}
