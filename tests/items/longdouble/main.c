/* Long double arithmetic, constants in .rodata, conversion, libm calls. */
#include <math.h>
#include <stdio.h>
long double other_poly(long double x);
extern const long double other_pi;
extern long double other_table[3];
int main(int argc, char **argv) {
    (void)argv;
    long double x = argc * 1.1L, sum = 0;
    for (int i = 1; i < 50; i++) sum += x / i - (long double)(1ULL << i) / 3.7L;
    printf("%.15Lf %.15Lf\n", sum, other_poly(x));
    other_table[1] += x;
    printf("%.12Lf %.12Lf %.12Lf\n", other_pi, other_table[1], sqrtl(x) + powl(x, 3.3L));
    printf("%lld %.3f %d\n", (long long)(sum * 10), (double)x, x > other_table[0]);
    printf("%Le %Lf\n", nextafterl(1.0L, 2.0L) - 1.0L, fmodl(100.0L, x + 2));
    return 0;
}
