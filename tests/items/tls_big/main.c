/* A thread-local block of several hundred kilobytes. */
#include <pthread.h>
#include <stdio.h>
extern _Thread_local int block[100000];
int block_sum(void);
static void *work(void *arg) {
    for (int i = 0; i < 100000; i += 1000) block[i] = (int)(long)arg;
    return (void *)(long)block_sum();
}
int main(void) {
    pthread_t t[3];
    void *result;
    for (long i = 0; i < 3; i++) pthread_create(&t[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], &result);
        printf("%ld ", (long)result);
    }
    printf("%d\n", block_sum());
    return 0;
}
