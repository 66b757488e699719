/* Static tables of functions, in structures, read-only and written, with static targets. */
#include <stdio.h>
#include "ops.h"
static int add(int a, int b) { return a + b; }
static int sub(int a, int b) { return a - b; }
static const struct ops own = {"own", {add, sub, shared_mul, NULL}};
static struct ops copy;
static int (*writable[2])(int, int) = {add, sub};
static int run(const struct ops *o, int a, int b) {
    int total = 0;
    for (int i = 0; o->f[i]; i++) total = total * 100 + o->f[i](a, b);
    return total;
}
int main(void) {
    printf("%s %d %s %d\n", own.name, run(&own, 7, 3), other_ops.name, run(&other_ops, 7, 3));
    copy = own;
    copy.f[1] = other_ops.f[0];
    printf("%d %d\n", run(&copy, 5, 2), own.f[2] == other_ops.f[1]);
    writable[0] = shared_mul;
    printf("%d %d\n", writable[0](6, 7), writable[1](6, 7));
    printf("%d\n", (*pick_ops(1))->f[0](10, 3));
    return 0;
}
