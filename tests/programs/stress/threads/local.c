#include "threads.h"

static __thread long bumped = 1000;
__thread long bumped_directly = 1;

long bump(long by) {
    bumped += by;
    return bumped;
}

long *address_of_bumped(void) { return &bumped; }
