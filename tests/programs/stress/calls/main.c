#include <string.h>

#include "calls.h"

static void goodbye(void) { puts("goodbye"); }
__attribute__((destructor)) static void last(void) { puts("last"); }

static const unsigned char program[] = {1, 2, 3, 1, 5, 3, 4, 0};

int main(void) {
    atexit(goodbye);
    struct object *objects = make_objects(100);
    const char *kept[9];
    for (int i = 0; i < 9; i++) kept[i] = describe(i - 1);
    long expected_depth = down(2000, 0), expected_run = interpret(program, 7);
    int expected_apply = apply_all(objects, 5), expected_jumps = jump_loop(50);
    printf("%ld %ld %d %d\n", expected_depth, expected_run, expected_apply, expected_jumps);

    FOR(0.2) CHECK(down(2000, 0) == expected_depth && frames_alive() == 0);
    FOR(0.2) CHECK(apply_all(objects, 5) == expected_apply);
    FOR(0.2) CHECK(interpret(program, 7) == expected_run);
    FOR(0.1) CHECK(jump_loop(50) == expected_jumps);
    FOR(0.2) {
        int numbers[500];
        for (int i = 0; i < 500; i++) numbers[i] = i * 7919 % 1009;
        qsort(numbers, 500, sizeof *numbers, by_value);
        for (int i = 1; i < 500; i++) CHECK(numbers[i - 1] <= numbers[i]);
        qsort(numbers, 500, sizeof *numbers, by_value_down);
        for (int i = 1; i < 500; i++) CHECK(numbers[i - 1] >= numbers[i]);
    }
    FOR(0.1) {
        CHECK(sum_of(6, 1, 2.5, 3, 4.5, 5, 6.0) == 22);
        for (int i = 0; i < 9; i++) CHECK(!strcmp(kept[i], describe(i - 1)));
    }
    for (int i = 0; i < 9; i++) printf("%s\n", kept[i]);
    puts(check_names(objects));
    return 7;
}
