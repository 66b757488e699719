#include <stdio.h>
#include "world/core.h"
#include "world/life.h"

int main(void) {
    rng_seed(1);
    printf("selftest %u %d\n", rng_next(), life_count());
    return 0;
}
