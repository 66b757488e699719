/* Builtins that live in libgcc: 128-bit division, population count, float conversions. */
#include <complex.h>
#include <stdint.h>
#include <stdio.h>
typedef __int128 i128;
typedef unsigned __int128 u128;
i128 other_divide(i128 a, i128 b);
static void show(u128 v) {
    printf("%016llx%016llx ", (unsigned long long)(v >> 64), (unsigned long long)v);
}
int main(int argc, char **argv) {
    (void)argv;
    u128 a = ((u128)0x0123456789abcdefULL << 64 | 0xfedcba9876543210ULL) * (unsigned)argc;
    u128 b = ((u128)0x1234 << 32) + (unsigned)argc;
    show(a / b), show(a % b), show(other_divide(-(i128)a, 1000003 * argc));
    show((u128)(-(i128)a % (1000003 * argc)));
    printf("\n%.6e %.6e %.6Le\n", (double)a, (double)(float)(i128)b, (long double)a);
    show((u128)((double)a / argc)), show((u128)(i128)(-1e20 * argc));
    printf("\n%d %d\n", __builtin_popcountll(a + argc), __builtin_parityll((uint64_t)(a >> 7)));
    long double complex z = argc + 2.0L * I;
    z = z * z / (z + argc);
    printf("%.6Lf %.6Lf\n", creall(z), cimagl(z));
    printf("%.6f\n", __builtin_powi(1.5 * argc, argc + 4));
    return 0;
}
