#include <unistd.h>

#include "threads.h"

static int ends[2], spinning = 1;

static void *spin(void *unused) {
    unsigned long rounds = 0;
    while (__atomic_load_n(&spinning, __ATOMIC_RELAXED)) rounds++;
    return rounds ? unused : 0;
}

static void *reader(void *unused) {
    long sum = 0;
    for (int byte; (byte = read_once(ends[0])) != -1; sum += byte) CHECK(byte == 1);
    return (void *)sum;
}

int main(void) {
    pthread_key_create(&key, free_value);
    CHECK(pipe(ends) == 0);
    pthread_t reading, turning, spinner, thread[8];
    pthread_create(&reading, 0, reader, 0);
    pthread_create(&turning, 0, condition_loop, 0);
    /* One that never leaves the generation it started in. */
    pthread_create(&spinner, 0, spin, &spinning);
    long started = 0;
    FOR(0.5) {
        void *result;
        for (long i = 0; i < 8; i++) CHECK(pthread_create(&thread[i], 0, work, (void *)i) == 0);
        for (long i = 0; i < 8; i++) {
            pthread_join(thread[i], &result);
            CHECK((long)result == 1000 + 199 * 100 + i);
        }
        started += 8;
    }
    CHECK(values_freed() == started);
    FOR(0.3) {
        void *result;
        for (long i = 0; i < 4; i++) pthread_create(&thread[i], 0, sleep_in_a_call, (void *)i);
        CHECK(poll_once(-1, 2) == 0);
        for (long i = 0; i < 4; i++) {
            pthread_join(thread[i], &result);
            CHECK((long)result == i);
        }
        condition_round();
    }
    long written = 0;
    FOR(0.2) {
        int seen = 0;
        void *result;
        pthread_create(&thread[0], 0, wait_to_be_cancelled, &seen);
        CHECK(sleep_once(500) == 0);
        pthread_cancel(thread[0]);
        pthread_join(thread[0], &result);
        CHECK(seen == 1 && result == PTHREAD_CANCELED);
        CHECK(write(ends[1], "\1", 1) == 1);
        written++;
    }
    close(ends[1]);
    void *result;
    pthread_join(reading, &result);
    CHECK((long)result == written);
    __atomic_store_n(&spinning, 0, __ATOMIC_RELAXED);
    pthread_join(spinner, &result);
    CHECK(result == &spinning);
    CHECK(bump(0) == 1000 && bumped_directly == 1);
    puts("threads came and went");
    return 0;
}
