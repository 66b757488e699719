#include "contexts.h"

int step(int number, int turn) { return number * 100 + turn; }

static void inner(int number, int turn) {
    int before = step(number, turn);
    yield(before);
    CHECK(before == step(number, turn));
}

/* Suspended for many generations at a time. */
void body(int number) {
    for (int turn = 0; turn < 20 + number; turn++) inner(number, turn);
}
