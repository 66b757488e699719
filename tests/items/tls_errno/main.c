/* errno is one per thread, seen from every file. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
int other_errno(void);
static int codes[4];
static void *fail(void *arg) {
    long id = (long)arg;
    switch (id) {
    case 0: open("/no/such/file", O_RDONLY); break;
    case 1: close(-1); break;
    case 2: open("/", O_WRONLY); break;
    default: errno = 12345; break;
    }
    codes[id] = errno == other_errno() ? errno : -1;
    return NULL;
}
int main(void) {
    pthread_t t[4];
    errno = 99;
    for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, fail, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    printf("%d %d %d %d main %d\n", codes[0], codes[1], codes[2], codes[3], other_errno());
    return 0;
}
