#include "world/core.h"
#include "world/life.h"

static int steps;

static void step(struct being *being, int turn) {
    steps++;
    switch (turn % 11) {
    case 0: being->x++; break;
    case 1: being->y--; break;
    default: being->energy += steps % 3;
    }
}

const struct species species_vole = {'L', 34, step};
