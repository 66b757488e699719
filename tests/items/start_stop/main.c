/* A set gathered in a named section, walked between __start_ and __stop_. */
#include <stdio.h>
struct item { const char *name; int (*run)(int); };
static int add(int n) { return n + 1; }
static int twice(int n) { return 2 * n; }
#define ITEM(id, fn) static const struct item item_##id __attribute__((section("items"), used)) = {#id, fn}
ITEM(first, add);
ITEM(second, twice);
ITEM(third, add);
extern const struct item __start_items[], __stop_items[];
extern const int __start_nothing[] __attribute__((weak)), __stop_nothing[] __attribute__((weak));
static int counts[3] __attribute__((section("counters"), used));
extern int __start_counters[], __stop_counters[];
int main(void) {
    int n = 5;
    for (const struct item *i = __start_items; i < __stop_items; i++) printf("%s %d\n", i->name, n = i->run(n));
    counts[2] = 9;
    printf("%d %d\n", (int)(__stop_counters - __start_counters), __start_counters[2]);
    printf("%d\n", __start_nothing == NULL && __stop_nothing == NULL);
    return 0;
}
