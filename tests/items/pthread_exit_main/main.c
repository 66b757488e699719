/* main leaves by pthread_exit; the process lives until its last thread ends. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void gone(void *arg) { puts((const char *)arg); }
static void *last(void *arg) {
    pthread_join(*(pthread_t *)arg, NULL);
    puts("last thread");
    return NULL;
}
static pthread_t self;
int main(void) {
    pthread_t t;
    self = pthread_self();
    pthread_create(&t, NULL, last, &self);
    pthread_cleanup_push(gone, "cleanup of main");
    puts("main leaves");
    pthread_exit(NULL);
    pthread_cleanup_pop(0);
}
