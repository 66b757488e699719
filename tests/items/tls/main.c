/* thread_local across files, per-thread values in eight threads. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include "tls.h"

static _Thread_local int own_static = 7;
static _Thread_local char own_zero[300];
_Thread_local long here = 1000;
static long results[8][8];

static void *work(void *arg) {
    long id = (long)arg, *out = results[id];
    for (int i = 0; i <= id; i++) {
        own_static++;
        far_init += 2;
        far_zero++;
        far_array[i & 15] += (int)id;
        here -= id;
        far_step();
        own_zero[i] = 1;
    }
    out[0] = own_static;
    out[1] = far_init;
    out[2] = far_zero;
    out[3] = far_sum();
    out[4] = far_here();
    out[5] = far_private();
    out[6] = ((uintptr_t)&aligned & 63) == 0;
    for (int i = 0; i < 300; i++) out[7] += own_zero[i];
    out[7] += *far_pointer() == far_init && far_pointer() == &far_init;
    return NULL;
}

int main(void) {
    pthread_t threads[8];
    far_init = 1;
    own_static = 70;
    for (long i = 0; i < 8; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) printf("%ld ", results[i][j]);
        printf("\n");
    }
    printf("%d %d %d %ld\n", own_static, far_init, far_zero, here);
    return 0;
}
