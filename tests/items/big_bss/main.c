/* A hundred megabytes of zeroed data, of which a few pages are touched. */
#include <stdio.h>
static char big[100u << 20];
extern char other_big[1 << 20];
char *other_end(void);
int main(void) {
    long sum = 0;
    for (size_t i = 0; i < sizeof big; i += 10u << 20) sum += big[i] + (big[i] = 1);
    sum += other_big[(1 << 20) - 1];
    *other_end() = 3;
    for (size_t i = 0; i < sizeof big; i += 1u << 20) sum += big[i];
    printf("%ld %d\n", sum, other_big[(1 << 20) - 1]);
    return 0;
}
