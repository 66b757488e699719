#include "world/core.h"

_Thread_local int thread_steps = 100;

int thread_step(void) { return ++thread_steps; }
