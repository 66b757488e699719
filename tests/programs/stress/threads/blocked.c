#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "threads.h"

/* The old code is where a thread sleeps: no call may be cut short. */
int poll_once(int fd, int ms) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int ready = poll(&wanted, 1, ms);
    return ready < 0 ? -errno : ready;
}

int sleep_once(int us) {
    struct timespec time = {.tv_nsec = us * 1000L}, left = {0};
    return nanosleep(&time, &left) ? -errno : 0;
}

int read_once(int fd) {
    char byte;
    ssize_t got = read(fd, &byte, 1);
    return got < 0 ? -errno : got == 0 ? -1 : byte;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

void *condition_loop(void *unused) {
    pthread_mutex_lock(&mutex);
    while (turn >= 0) {
        if (turn % 2) {
            turn++;
            pthread_cond_broadcast(&condition);
        }
        pthread_cond_wait(&condition, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    return unused;
}

/* A negative turn ends the other side. */
int condition_round(void) {
    pthread_mutex_lock(&mutex);
    int before = turn++;
    pthread_cond_broadcast(&condition);
    while (turn != before + 2) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    return before;
}
