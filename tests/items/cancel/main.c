/* Cancellation: deferred, asynchronous, in another file's frames, with cleanup; and pthread_exit. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
void other_wait(int fd);
static pthread_barrier_t ready;
static pthread_key_t key;
static int pipes[2];
static void cleanup(void *arg) { printf("cleanup %s\n", (const char *)arg); }
static void key_gone(void *arg) { printf("key %s\n", (const char *)arg); }
static void *blocked(void *arg) {
    pthread_setspecific(key, "of blocked");
    pthread_cleanup_push(cleanup, "outer");
    pthread_cleanup_push(cleanup, "inner");
    pthread_barrier_wait(&ready);
    other_wait(pipes[0]);
    pthread_cleanup_pop(1);
    pthread_cleanup_pop(1);
    return arg;
}
static void *spinning(void *arg) {
    pthread_cleanup_push(cleanup, "spinning");
    pthread_barrier_wait(&ready);
    for (;;) {
        pthread_testcancel();
        usleep(100);
    }
    pthread_cleanup_pop(0);
    return arg;
}
static void leave(int depth) {
    pthread_cleanup_push(cleanup, "level");
    if (depth) leave(depth - 1);
    else pthread_exit("left");
    pthread_cleanup_pop(0);
}
static void *leaving(void *arg) { leave(2); return arg; }
static void *immune(void *arg) {
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    pthread_barrier_wait(&ready);
    usleep(2000);
    return arg;
}
static void one(void *(*body)(void *), int cancel) {
    pthread_t t;
    void *result;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&t, NULL, body, "normal");
    if (cancel) {
        pthread_barrier_wait(&ready);
        pthread_cancel(t);
    }
    pthread_join(t, &result);
    printf("%s\n", result == PTHREAD_CANCELED ? "cancelled" : (const char *)result);
}
int main(void) {
    if (pipe(pipes)) return 1;
    pthread_key_create(&key, key_gone);
    one(blocked, 1);
    one(spinning, 1);
    one(leaving, 0);
    one(immune, 1);
    return 0;
}
