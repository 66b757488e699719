#include <errno.h>
int other_errno(void) { return errno; }
