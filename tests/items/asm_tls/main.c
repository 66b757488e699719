/* The forms of thread-local access that compilers emit rarely, by hand. */
#include <pthread.h>
#include <stdio.h>
_Thread_local int value = 5;
int general_plt(void), general_got(void), local_wide(void), initial_move(void), initial_add(void);
int descriptor(void);
static void *work(void *arg) {
    value += (int)(long)arg;
    printf("%d %d %d %d %d %d\n", general_plt(), general_got(), local_wide(), initial_move(),
           initial_add(), descriptor());
    return NULL;
}
int main(void) {
    pthread_t t;
    work((void *)1);
    pthread_create(&t, NULL, work, (void *)100);
    pthread_join(t, NULL);
    work((void *)1);
    return 0;
}
