#include <math.h>
#include "world/core.h"

static double sum, squares;
static long count;

void stats_add(double value) {
    sum += value;
    squares += value * value;
    count++;
}

double stats_mean(void) { return count ? sum / (double)count : 0; }

double stats_spread(void) {
    double mean = stats_mean();
    return count ? sqrt(squares / (double)count - mean * mean) : 0;
}
