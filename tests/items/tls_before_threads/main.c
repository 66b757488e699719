/* A thread started before the variable is first touched, and pointers in the initial image. */
#include <pthread.h>
#include <stdio.h>

extern _Thread_local int *pointer;
extern _Thread_local int (*call)(int);
extern int target;
int bump(int n);
static pthread_barrier_t barrier;
static int seen[4];

static void *late(void *arg) {
    pthread_barrier_wait(&barrier);
    int *slot = arg;
    *slot = *pointer + call(1) + (pointer == &target) + (call == bump);
    pointer = slot;
    return NULL;
}

int main(void) {
    pthread_t t[4];
    pthread_barrier_init(&barrier, NULL, 5);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, late, &seen[i]);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++) printf("%d ", seen[i]);
    printf("%d\n", pointer == &target);
    for (int round = 0; round < 200; round++) {
        pthread_t one;
        pthread_barrier_init(&barrier, NULL, 1);
        pthread_create(&one, NULL, late, &seen[round % 4]);
        pthread_join(one, NULL);
    }
    printf("%d %d\n", seen[0], seen[3]);
    return 0;
}
