/* Ways to leave, chosen by the argument; each handler tells whether it ran. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void nested_exit(int depth);
static void at_exit_handler(void) { puts("atexit ran"); fflush(stdout); }
static void at_quick(void) { puts("at_quick_exit ran"); fflush(stdout); }
static void at_quick_second(void) { puts("second"); fflush(stdout); }
__attribute__((destructor)) static void end(void) { puts("destructor ran"); }
static void *from_thread(void *arg) { nested_exit(*(int *)arg); return NULL; }
static void on_signal(int sig) { (void)sig; static const char m[] = "handler\n"; if (write(1, m, sizeof m - 1)) {} }

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "return";
    setvbuf(stdout, NULL, _IOFBF, 4096);
    atexit(at_exit_handler);
    at_quick_exit(at_quick);
    at_quick_exit(at_quick_second);
    printf("way %s\n", way);
    if (!strcmp(way, "nested")) nested_exit(12);
    if (!strcmp(way, "thread")) {
        int depth = 5;
        pthread_t t;
        pthread_create(&t, NULL, from_thread, &depth);
        pthread_join(t, NULL);
    }
    if (!strcmp(way, "_exit")) { puts("lost"); _exit(21); }
    if (!strcmp(way, "_Exit")) { puts("kept"); fflush(stdout); _Exit(22); }
    if (!strcmp(way, "quick")) quick_exit(23);
    fflush(stdout);
    if (!strcmp(way, "abort")) abort();
    if (!strcmp(way, "abort handler")) { signal(SIGABRT, on_signal); abort(); }
    if (!strcmp(way, "kill")) raise(SIGKILL);
    if (!strcmp(way, "term")) raise(SIGTERM);
    if (!strcmp(way, "segv")) *(volatile int *)(long)(argc - 2) = 1;
    if (!strcmp(way, "trap")) __builtin_trap();
    if (!strcmp(way, "high")) return 0x1fe;
    if (!strcmp(way, "negative")) return -3;
    return 3;
}
