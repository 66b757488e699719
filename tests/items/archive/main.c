/* Members of an archive are taken on demand, and members of members. */
#include <stdio.h>
int wanted(int n);
extern int wanted_data;
extern int optional(void) __attribute__((weak));
int main(void) {
    printf("%d %d %s\n", wanted(1), wanted_data, optional ? "pulled" : "not pulled");
    return 0;
}
