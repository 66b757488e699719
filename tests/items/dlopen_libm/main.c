/* The program opens a shared library itself. */
#include <dlfcn.h>
#include <stdio.h>

int main(void) {
    void *lib = dlopen("libm.so.6", RTLD_NOW);
    if (!lib) { printf("no libm: %s\n", dlerror()); return 1; }
    double (*cosine)(double) = (double (*)(double))dlsym(lib, "cos");
    double (*power)(double, double) = (double (*)(double, double))dlsym(lib, "pow");
    printf("%.6f %.1f\n", cosine(1.0), power(2.0, 10.0));
    printf("%d %d\n", dlsym(lib, "not_in_libm") == NULL, dlerror() != NULL);
    printf("%d\n", dlopen("/no/such/library.so", RTLD_NOW) == NULL);
    return dlclose(lib);
}
