/* Undefined behaviour checked by traps; with an argument a check fails. */
#include <stdio.h>
#include <stdlib.h>
int other_add(int a, int b);
int other_index(int i);
static int (*volatile call)(int, int) = other_add;
int main(int argc, char **argv) {
    printf("%d %d %d\n", other_add(2, 3), other_index(2), call(4, 5));
    fflush(stdout);
    if (argc > 1) printf("%d\n", call(2147483647, atoi(argv[1])));
    return 0;
}
