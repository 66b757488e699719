/* Code models beyond small: big objects, calls, tables, through the 64-bit GOT relocations. */
#include <stdio.h>
#include "far.h"

static int own_big[50000];
static const int own_const[30000] = {[5] = 50, [29999] = 7};
static int (*const table[])(int) = {far_function, far_function};

int main(void) {
    own_big[49999] = 3;
    big[99999] = 4;
    far_counter += own_big[49999] + big[99999];
    printf("%d %d %d\n", far_counter, far_function(10), table[1](20));
    printf("%d %d %d\n", own_const[5], own_const[29999], big_init[40000]);
    printf("%d %d\n", (int)(far_end() - big), *far_local());
    switch (far_counter % 7) {
    case 0: puts("zero"); break;
    case 1: puts("one"); break;
    case 2: puts("two"); break;
    case 3: puts("three"); break;
    case 4: puts("four"); break;
    case 5: puts("five"); break;
    default: puts("six"); break;
    }
    return 0;
}
