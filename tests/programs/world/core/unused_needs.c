/* Needs what needs what is not there. */
#include "world/core.h"

int unused_user(void);

int unused_user(void) { return unused_entry(); }
