#include <stdlib.h>
char *other_getenv(const char *name) { return getenv(name); }
