/* setjmp and longjmp across files, from deep frames, from a handler, with saved masks. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
jmp_buf shared;
void jump_back(int depth, int code);
int other_set(void (*f)(int, int));
static sigjmp_buf from_signal;
static void on_signal(int sig) { siglongjmp(from_signal, sig); }
int main(void) {
    volatile int rounds = 0;
    int code = setjmp(shared);
    printf("code %d rounds %d\n", code, rounds);
    if (rounds++ < 4) jump_back(rounds * 3, rounds == 2 ? 0 : rounds * 10);
    printf("%d\n", other_set(jump_back));
    signal(SIGUSR1, on_signal);
    for (volatile int i = 0; i < 2; i++) {
        int sig = sigsetjmp(from_signal, 1);
        if (sig == 0) raise(SIGUSR1);
        sigset_t mask;
        sigprocmask(SIG_SETMASK, NULL, &mask);
        printf("signal %d blocked %d\n", sig == SIGUSR1, sigismember(&mask, SIGUSR1));
    }
    return 0;
}
