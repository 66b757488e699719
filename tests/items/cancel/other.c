#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void other_cleanup(void *arg) { printf("other cleanup %d\n", *(int *)arg); }
void other_wait(int fd) {
    char c;
    int local = 8;
    pthread_cleanup_push(other_cleanup, &local);
    if (read(fd, &c, 1) == 1) puts("read");
    pthread_cleanup_pop(0);
}
