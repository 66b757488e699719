#include <unistd.h>

#include "threads.h"

pthread_key_t key;
static long freed;

void free_value(void *value) {
    __atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
    free(value);
}

long values_freed(void) { return __atomic_load_n(&freed, __ATOMIC_SEQ_CST); }

/* A short life: thread-locals from the start, a value with a destructor at the end. */
void *work(void *number) {
    long *value = malloc(sizeof *value);
    *value = (long)number;
    pthread_setspecific(key, value);
    long *mine = address_of_bumped();
    CHECK(bump(0) == 1000 && bumped_directly == 1);
    for (int i = 0; i < 200; i++) {
        bump(i);
        bumped_directly += 2;
        CHECK(address_of_bumped() == mine);
    }
    CHECK(bumped_directly == 401 && *mine == 1000 + 199 * 100);
    if (*value % 2) pthread_exit((void *)bump(*value));
    return (void *)bump(*value);
}

void *sleep_in_a_call(void *number) {
    CHECK(sleep_once(300) == 0);
    return number;
}

static void note(void *seen) { *(int *)seen = 1; }

void *wait_to_be_cancelled(void *seen) {
    pthread_cleanup_push(note, seen);
    for (;;) usleep(1000000);
    pthread_cleanup_pop(0);
    return 0;
}
