/* R_X86_64_64 in data: functions, variables, addends of both signs, tables, cycles. */
#include <stdio.h>
#include "data.h"

int one(void) { return 1; }
int two(void) { return 2; }
static int three(void) { return 3; }

int (*const table[])(void) = {one, two, three, four, five};
int *const middle = &numbers[5];
int *const past = numbers + 10;
int *const before = &numbers[-1] + 1;
const char *const words[] = {"alpha", "beta", "gamma" + 2, outer_text + 3};
struct node first = {1, &second, one};

int main(void) {
    int sum = 0;
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) sum = sum * 10 + table[i]();
    printf("%d\n", sum);
    printf("%d %d %d\n", *middle, past[-1], *before);
    printf("%d %d\n", (int)(past - numbers), (int)(middle - numbers));
    for (int i = 0; i < 4; i++) printf("%s ", words[i]);
    printf("\n");
    struct node *n = &first;
    for (int i = 0; i < 6; i++, n = n->next) printf("%d%d ", n->value, n->call());
    printf("%d\n", n == &first);
    printf("%s %d\n", deep->name, *deep->where);
    return 0;
}
