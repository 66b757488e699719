/* How long a part of a program goes on: HOTSLOT_TEST_MS milliseconds, and at least once.
   What is printed does not depend on it. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/* The time at which a part that takes `share` of the whole ends. */
static inline double until(double share) {
    const char *text = getenv("HOTSLOT_TEST_MS");
    return now_ms() + share * (text ? atof(text) : 20);
}

#define FOR(share) for (double rounds_end = until(share), rounds_on = 1; rounds_on; \
                        rounds_on = now_ms() < rounds_end)

/* Says what is wrong and ends: the output is different then. */
#define CHECK(condition) \
    ((condition) ? (void)0 : (printf("%s:%d: %s\n", __FILE_NAME__, __LINE__, #condition), fflush(stdout), abort()))

#ifdef __cplusplus
}
#endif
#endif
