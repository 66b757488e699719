/* Functions chosen by a resolver: global, static, called, in data, compared. */
#include <stdio.h>
extern int global_ifunc(int);
int other_calls(int);
int (*other_pointer(void))(int);
int resolved_times(void);
static int picked(int n) { return n + 30; }
static int (*resolve_static(void))(int) { return picked; }
static int static_ifunc(int) __attribute__((ifunc("resolve_static")));
static int (*const table[])(int) = {global_ifunc, static_ifunc};
int (*volatile live)(int) = global_ifunc;
int main(void) {
    printf("%d %d\n", global_ifunc(1), static_ifunc(1));
    printf("%d %d\n", table[0](2), table[1](2));
    printf("%d %d\n", live(3), other_calls(4));
    printf("%d %d\n", live == global_ifunc, other_pointer()(5));
    printf("%d\n", resolved_times() > 0);
    return 0;
}
