#include <stdarg.h>
#include <string.h>

#include "calls.h"

static int add(int a, int b) { return a + b; }
static int subtract(int a, int b) { return a - b; }
static int twist(int a, int b) { return (a ^ b) + classify(b); }

static const struct {
    const char *name;
    operation apply;
} table[] = {{"add", add}, {"subtract", subtract}, {"twist", twist}};

/* The objects outlive many generations of this code, and of these strings. */
struct object *make_objects(int count) {
    struct object *first = 0;
    for (int i = 0; i < count; i++) {
        struct object *made = malloc(sizeof *made);
        made->name = table[i % 3].name;
        made->apply = table[i % 3].apply;
        made->next = first;
        first = made;
    }
    return first;
}

int apply_all(const struct object *first, int value) {
    for (int i = 1; first; first = first->next, i++) value = first->apply(value, i);
    return value;
}

const char *check_names(const struct object *first) {
    for (; first; first = first->next) {
        int known = 0;
        for (int i = 0; i < 3; i++) {
            /* As the table has it: where a compiler knows the address of a static function
               itself, no linker can give it another one. */
            operation apply = *(const operation volatile *)&table[i].apply;
            known += !strcmp(first->name, table[i].name) && first->apply == apply;
        }
        if (known != 1) return first->name;
    }
    return "all names and functions are the same";
}

int by_value(const void *a, const void *b) {
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

int by_value_down(const void *a, const void *b) { return -by_value(a, b); }

int sum_of(int count, ...) {
    va_list list;
    va_start(list, count);
    double sum = 0;
    for (int i = 0; i < count; i++) sum += i % 2 ? va_arg(list, double) : va_arg(list, int);
    va_end(list);
    return (int)sum;
}

const char *describe(int kind) {
    switch (kind) {
    case 0: return "nothing";
    case 1: return "one";
    case 2: return "a pair";
    case 3: return "a few";
    case 4: return "some";
    case 7: return "seven";
    default: return kind < 0 ? "less than nothing" : "many";
    }
}
