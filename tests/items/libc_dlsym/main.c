/* What dlsym gives for a libc name equals what the program's own references give. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef void (*any)(void);
extern char **environ;
static any in_data = (any)puts;
any other_puts(void);

int main(void) {
    void *puts_sym = dlsym(RTLD_DEFAULT, "puts");
    printf("%d\n", puts_sym == (void *)puts);
    printf("%d\n", puts_sym == (void *)in_data);
    printf("%d\n", puts_sym == (void *)other_puts());
    printf("%d\n", dlsym(RTLD_DEFAULT, "stdout") == (void *)&stdout);
    printf("%d\n", dlsym(RTLD_DEFAULT, "environ") == (void *)&environ);
    printf("%d\n", dlsym(RTLD_DEFAULT, "no_such_symbol_anywhere") == NULL);
    return 0;
}
