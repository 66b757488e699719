/* The program's name. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
int main(int argc, char **argv) {
    printf("%d %s\n%s\n%s\n", argc, argv[0], program_invocation_name, program_invocation_short_name);
    return 0;
}
