#include "contexts.h"

int main(void) {
    long finished = 0, sum = 0;
    int turns[COROUTINES] = {0};
    for (int i = 0; i < COROUTINES; i++) start(i);
    FOR(1) {
        /* Some run often, some lie for a long time. */
        for (int i = 0; i < 200; i++) {
            int number = i * i % 13 % COROUTINES;
            int value = resume(number);
            if (value < 0) {
                CHECK(turns[number] == 20 + number);
                turns[number] = 0;
                finished++;
                start(number);
            } else {
                CHECK(value == number * 100 + turns[number]);
                turns[number]++;
                sum += value;
            }
        }
    }
    for (int i = 13; i < COROUTINES; i++)
        for (int turn = 0; turn < 20 + i; turn++) CHECK(resume(i) == i * 100 + turn);
    puts(finished > 0 && sum > 0 ? "coroutines finished" : "nothing finished");
    return 0;
}
