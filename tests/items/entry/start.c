/* An entry point of another name. */
#include <stdio.h>
int begin(int argc, char **argv) {
    printf("begin %d %s\n", argc, argc > 1 ? argv[1] : "");
    return 6;
}
