#include "defs.h"

int counter = 10;
int table[8] = {1, 2, 3, 4, 5, 6, 7, 8};
struct point point = {3, 4};
const char name[] = "slot";
const long long wide = 1LL << 40;
double real = 2.5;

int twice(int n) { return 2 * n; }
void bump(void) { counter++; }
int *counter_address(void) { return &counter; }
int table_sum(void) {
    int sum = 0;
    for (int i = 0; i < 8; i++) sum += table[i];
    return sum;
}
int (*twice_address(void))(int) { return twice; }
int point_norm(const struct point *p) { return p->x * p->x + p->y * p->y; }
int *shadow(void) { static int *where = &counter; return where; }
