/* atexit, on_exit, __cxa_atexit and destructors: one order, the reverse. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
void other_register(void);
extern void *__dso_handle;
int __cxa_atexit(void (*f)(void *), void *arg, void *dso);
static void by_atexit(void) { puts("atexit"); }
static void nested(void) { puts("nested"); }
static void registers_more(void) { puts("registers more"); atexit(nested); }
static void by_on_exit(int code, void *arg) { printf("on_exit %d %s\n", code, (char *)arg); }
static void by_cxa(void *arg) { printf("cxa %s\n", (char *)arg); }
__attribute__((constructor)) static void start(void) { puts("start"); atexit(by_atexit); }
__attribute__((destructor)) static void end(void) { puts("end"); }
int main(void) {
    atexit(by_atexit);
    on_exit(by_on_exit, "one");
    other_register();
    __cxa_atexit(by_cxa, "handle", &__dso_handle);
    __cxa_atexit(by_cxa, "null", NULL);
    atexit(registers_more);
    printf("main, no newline at the end");
    return 7;
}
