#include "calls.h"

static long alive;

long frames_alive(void) { return alive; }

/* Every frame is left through code that was replaced while it was open. */
long down(int depth, long sum) {
    volatile int here = depth;
    alive++;
    sum = depth ? back(depth - 1, sum + depth) : sum;
    CHECK(here == depth);
    alive--;
    return sum + 1;
}
