/* Functions and data of another file, read, written and compared in code. */
#include <stdio.h>
#include "defs.h"

static int (*volatile pick)(int);

int tail(int n) { return twice(n + 1); }

int main(void) {
    printf("%d %d\n", counter, twice(21));
    counter += 5;
    bump();
    printf("%d %d\n", counter, *counter_address());
    table[2] = 77;
    printf("%d %d %d\n", table_sum(), table[7], (int)(&table[4] - table));
    pick = twice;
    printf("%d %d\n", pick(8), pick == twice_address());
    point.y = 9;
    printf("%d %d %s\n", point.x, point_norm(&point), name);
    printf("%d %c\n", tail(3), name[1]);
    printf("%lld %f\n", wide, real);
    return shadow() == &counter ? 0 : 1;
}
