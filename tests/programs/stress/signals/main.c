#include <sys/time.h>

#include "signals.h"

int main(void) {
    set_signal_stack();
    struct sigaction action = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER};
    CHECK(sigaction(SIGALRM, &action, 0) == 0);
    signal(SIGSEGV, leave);
    unsigned expected = busy();
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &often, 0) == 0);
    FOR(0.7) CHECK(busy() == expected);
    while (ticks < 3) busy();
    FOR(0.3) CHECK(fault_and_escape() == SIGSEGV);
    CHECK(setitimer(ITIMER_REAL, &never, 0) == 0);
    CHECK(on_the_signal_stack() && nested == 0);
    printf("%u, and %s\n", expected, ticks ? "it ticked" : "it did not tick");
    return 0;
}
