/* PC-relative and absolute words in assembly: PC8, PC16, PC32, PC64, 64, 32S with addends. */
#include <stdint.h>
#include <stdio.h>

extern const int32_t rel32[];
extern const int64_t rel64[];
extern const uint64_t abs64[];
extern const uint64_t abs_values[];
int value = 4242;
int add_one(int n) { return n + 1; }
int asm_value(void), asm_value_far(void), asm_call(int), asm_tail(int), asm_short(void);
int asm_indirect(int);

int main(void) {
    printf("%d %d\n", *(const int *)((const char *)&rel32[0] + rel32[0]),
           *(const int *)((const char *)&rel32[1] + rel32[1] - 4));
    printf("%d\n", *(const int *)((const char *)&rel64[0] + rel64[0]));
    printf("%d %d\n", *(const int *)abs64[0], (int)(abs64[1] - abs64[0]));
    printf("%d\n", ((int (*)(int))abs64[2])(9));
    printf("%d %d %d %d %d\n", asm_value(), asm_value_far(), asm_call(10), asm_tail(20), asm_short());
    printf("%d\n", asm_indirect(30));
    for (int i = 0; i < 4; i++) printf("%llx ", (unsigned long long)abs_values[i]);
    printf("\n");
    return 0;
}
