#include <errno.h>

#include "signals.h"

volatile sig_atomic_t ticks, nested;
sigjmp_buf escape;
static char stack[256 << 10], *seen;

void set_signal_stack(void) {
    stack_t wanted = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK(sigaltstack(&wanted, 0) == 0);
}

int on_the_signal_stack(void) { return seen >= stack && seen < stack + sizeof stack; }

/* Interrupts code of any generation, and is itself interrupted while it works. */
void tick(int signal, siginfo_t *info, void *context) {
    char here;
    int error = errno;
    seen = &here;
    CHECK(signal == SIGALRM && info && context);
    if (nested++ == 0) CHECK(collatz(27) == 111);
    nested--;
    ticks++;
    errno = error;
}

void leave(int signal) { siglongjmp(escape, signal); }
