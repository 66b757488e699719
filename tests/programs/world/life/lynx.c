#include "world/core.h"
#include "world/life.h"

static int steps;

static void step(struct being *being, int turn) {
    steps++;
    if (turn & 1) being->y += (int)rng_below(3) - 1;
    being->energy -= 3;
}

const struct species species_lynx = {'h', 31, step};
