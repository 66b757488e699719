/* 16-byte atomics, inline with -mcx16 or through libatomic. */
#include <pthread.h>
#include <stdio.h>
typedef unsigned __int128 u128;
u128 shared __attribute__((aligned(16)));
void other_add(u128 by);
static void *work(void *arg) {
    for (int i = 0; i < 2000; i++) {
        u128 old = __atomic_load_n(&shared, __ATOMIC_SEQ_CST), want;
        do want = old + ((u128)1 << 64) + (unsigned long)arg;
        while (!__atomic_compare_exchange_n(&shared, &old, want, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
        other_add(1);
    }
    return NULL;
}
int main(void) {
    pthread_t t[4];
    for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, work, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    u128 v = __atomic_exchange_n(&shared, 0, __ATOMIC_ACQ_REL);
    printf("%llu %llu %d\n", (unsigned long long)(v >> 64), (unsigned long long)v, shared == 0);
    return 0;
}
