/* __builtin_cpu_supports reads a table that a static link takes from libgcc.a. */
#include <stdio.h>
int main(void) {
    __builtin_cpu_init();
    printf("%d %d\n", __builtin_cpu_supports("sse2") != 0, __builtin_cpu_supports("avx512f") != 0);
    return 0;
}
