/* The stack protector's canary; with an argument the stack is overwritten. */
#include <stdio.h>
#include <string.h>
void other_fill(char *p, int n);
__attribute__((noinline)) static int use(int n) {
    char buffer[16];
    other_fill(buffer, n);
    return buffer[3];
}
int main(int argc, char **argv) {
    (void)argv;
    printf("%d\n", use(16));
    fflush(stdout);
    if (argc > 1) printf("%d\n", use(40));
    return 0;
}
