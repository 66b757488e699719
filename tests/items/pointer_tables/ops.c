#include "ops.h"
static int mod(int a, int b) { return a % b; }
int shared_mul(int a, int b) { return a * b; }
const struct ops other_ops = {"other", {mod, shared_mul}};
static const struct ops *const picks[] = {NULL, &other_ops};
const struct ops *const *pick_ops(int i) { return &picks[i]; }
