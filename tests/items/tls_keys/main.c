// Destructors of thread-specific data still see the thread-local variables.
#include <pthread.h>
#include <stdio.h>

static __thread int value = 1;
static pthread_key_t first, second;

static void at_end(void *p) {
    printf("first: %d %d, same %d\n", *(int *)p, value, p == (void *)&value);
    value++;
}

// Sets itself again in every round but the last.
static void again(void *p) {
    static __thread int rounds;
    printf("second: round %d, %d, same %d\n", ++rounds, ++value, p == (void *)&value);
    if (rounds < 3)
        pthread_setspecific(second, p);
}

static void *run(void *argument) {
    value = 42;
    pthread_setspecific(first, &value);
    pthread_setspecific(second, &value);
    return argument;
}

int main(void) {
    pthread_t thread;
    value = 2;
    if (pthread_key_create(&first, at_end) || pthread_key_create(&second, again))
        return 1;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread, 0, run, 0) || pthread_join(thread, 0))
            return 2;
    printf("main: %d\n", value);
    return 0;
}
