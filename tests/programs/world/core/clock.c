#include "world/core.h"

static long ticks;

long clock_ticks(void) { return ticks; }

void clock_tick(void) { ticks++; }
