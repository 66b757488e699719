#include "far.h"
int far_counter = 100;
int big[100000];
int big_init[50000] = {[40000] = 11};
static int local[20000] = {[1] = 5};
int far_function(int n) { return n + far_counter; }
int *far_end(void) { return big + 100000; }
int *far_local(void) { return &local[1]; }
