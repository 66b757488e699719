#include "calls.h"

static int local(int depth, long *sum) {
    *sum = down(depth, *sum);
    return depth;
}

long back(int depth, long sum) {
    int (*volatile through)(int, long *) = local;
    int same = through(depth, &sum);
    CHECK(same == depth);
    return sum;
}
