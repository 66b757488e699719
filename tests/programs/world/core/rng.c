#include "world/core.h"

static uint32_t state = 1;

void rng_seed(uint32_t seed) { state = seed ? seed : 1; }

uint32_t rng_next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

uint32_t rng_below(uint32_t limit) { return limit ? rng_next() % limit : 0; }
