/* A file may include the header for hosts and the one for code. */
#include "hooks.h"
#include "hotslot.h"
#include "hooks.h"
#include "hotslot.h"

int both(void);
int both(void) { return hotslot_is_there() + (int)hotslot_api_version(); }
