#include "data.h"

int four(void) { return 4; }
int five(void) { return 5; }
int numbers[10] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
const char outer_text[] = "outer";
static struct leaf leaves[] = {{"left", &numbers[1]}, {"right", &numbers[9]}};
struct leaf *const deep = &leaves[1];
struct node second = {2, &third, two};
struct node third = {3, &first, five};
