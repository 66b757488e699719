/* A library named with -l. */
#include <complex.h>
#include <math.h>
#include <stdio.h>

double (*const functions[])(double) = {sin, cos, tan, exp, log, sqrt, cbrt};

int main(int argc, char **argv) {
    (void)argv;
    double x = argc + 0.5;
    for (int i = 0; i < 7; i++) printf("%.9f ", functions[i](x));
    printf("\n%.9Lf %.9f\n", sinl(x), fma(x, x, 1.0));
    double complex z = x + x * I, w = z * z / (z + 1.0);
    printf("%.6f %.6f %.6f\n", creal(w), cimag(w), cabs(w));
    signgam = 0;
    printf("%.6f %d\n", lgamma(-0.5 * argc), signgam);
    return 0;
}
