#include <stdio.h>
#include <stdlib.h>
static void other_end(void) { puts("other atexit"); }
__attribute__((destructor(102))) static void other_destructor(void) { puts("other destructor"); }
void other_register(void) { atexit(other_end); }
