/* Handlers for raised signals and for real faults, on the normal and on another stack. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
volatile sig_atomic_t count;
void other_handler(int sig);
static sigjmp_buf escape;
static volatile int on_other_stack;
static char *stack;
static void fault(int sig, siginfo_t *info, void *context) {
    char here;
    (void)context;
    on_other_stack = &here > stack && &here < stack + 65536;
    siglongjmp(escape, sig * 100 + (info->si_code > 0));
}
static void alarm_handler(int sig) { (void)sig; count += 50; }
int main(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    signal(SIGUSR1, other_handler);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    printf("count %d\n", (int)count);
    stack = malloc(65536);
    stack_t alternate = {.ss_sp = stack, .ss_size = 65536};
    sigaltstack(&alternate, NULL);
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    volatile int zero = 0, seven = 7;
    int code = sigsetjmp(escape, 1);
    if (!code) *(volatile int *)(long)zero = 1;
    printf("fault %d %d\n", code == SIGSEGV * 100 + 1, on_other_stack);
    code = sigsetjmp(escape, 1);
    if (!code) printf("%d\n", seven / zero);
    printf("fault %d\n", code == SIGFPE * 100 + 1);
    code = sigsetjmp(escape, 1);
    if (!code) __builtin_trap();
    printf("fault %d\n", code / 100 == SIGILL);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    int before = count;
    sigpending(&set);
    printf("pending %d\n", sigismember(&set, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("blocked %d %d\n", before, (int)count);
    signal(SIGALRM, alarm_handler);
    alarm(0);
    ualarm(1000, 0);
    pause();
    printf("alarm %d\n", (int)count);
    /* The dispositions a program starts with are the default ones. */
    signal(SIGUSR2, SIG_DFL);
    printf("%d %d\n", signal(SIGTERM, SIG_IGN) == SIG_DFL, signal(SIGINT, SIG_IGN) == SIG_DFL);
    printf("%d\n", signal(SIGPIPE, SIG_DFL) == SIG_DFL);
    return 0;
}
