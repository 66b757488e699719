/* A bytecode loop by label addresses, in a static table and in a local one. */
#include <stdio.h>
int other_run(const unsigned char *code, int n);
static int run(const unsigned char *code, int n) {
    static const void *const labels[] = {&&add, &&twice, &&less, &&loop, &&end};
    int at = 0, steps = 0;
    goto *labels[code[at]];
add: n += code[at + 1]; at += 2; steps++; goto *labels[code[at]];
twice: n *= 2; at++; steps++; goto *labels[code[at]];
less: at = n < 1000 ? at + 1 : at + 2; steps++; goto *labels[code[at]];
loop: at = 0; steps++; goto *labels[code[at]];
end: return n * 100 + steps;
}
int main(void) {
    static const unsigned char code[] = {0, 3, 1, 2, 3, 4};
    printf("%d %d\n", run(code, 1), run(code, 999));
    printf("%d %d\n", other_run(code, 1), other_run(code, 999));
    return 0;
}
