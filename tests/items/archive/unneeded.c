/* Not asked for: its missing names and its constructor must not matter. */
#include <stdio.h>
int nobody_has_this(void);
int optional(void) { return nobody_has_this(); }
__attribute__((constructor)) static void never(void) { puts("unneeded member loaded"); }
