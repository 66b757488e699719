/* alloca, arrays of variable length, and frames larger than a page. */
#include <alloca.h>
#include <stdio.h>
#include <string.h>
int other_vla(int n, int grid[n][n]);
static int fill(int n) {
    char *p = alloca((size_t)n);
    memset(p, 1, (size_t)n);
    int sum = 0;
    for (int i = 0; i < n; i++) sum += p[i];
    return n > 100 ? sum + fill(n / 2) : sum;
}
static int large(void) {
    volatile char page[200000];
    for (int i = 0; i < 200000; i += 4096) page[i] = (char)(i / 4096);
    return page[4096 * 30] + page[4096 * 48];
}
int main(void) {
    int n = 12;
    int grid[n][n];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) grid[i][j] = i * j;
    printf("%d %d %d\n", fill(5000), large(), other_vla(n, grid));
    return 0;
}
