#include <stdlib.h>
void nested_exit(int depth) {
    volatile char pad[64] = {0};
    if (depth == 0) exit(11 + pad[0]);
    nested_exit(depth - 1);
    pad[1] = 1;
}
