/* A linker leaves this out: nothing needs it. Its constructor would be noticed. */
#include <stdio.h>
#include "world/core.h"

int not_defined_anywhere(void);

__attribute__((constructor)) static void never(void) { puts("an unused member was loaded"); }

int unused_entry(void) { return not_defined_anywhere(); }
