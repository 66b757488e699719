#include <stddef.h>
struct ops { const char *name; int (*f[4])(int, int); };
extern const struct ops other_ops;
int shared_mul(int a, int b);
const struct ops *const *pick_ops(int i);
