#include "world/core.h"
#include "world/life.h"

static int steps;

static void step(struct being *being, int turn) {
    steps++;
    being->energy += turn % 11;
    being->x += (int)rng_below(2) - 1;
}

const struct species species_hawk = {'v', 37, step};
