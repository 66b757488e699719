/* Compiled twice, under two names. */
#include <math.h>
#include "world/sampler.h"

#define NAME2(a) sample_##a
#define NAME(a) NAME2(a)
#define TITLE_OF2(a) title_##a
#define TITLE_OF(a) TITLE_OF2(a)

const char *TITLE_OF(SAMPLER)(void) { return TITLE; }

double NAME(SAMPLER)(double to) {
    double sum = 0;
    for (int i = 0; i < STEPS; i++) sum += sin(to * (i + 0.5) / STEPS) * to / STEPS;
    return sum;
}
