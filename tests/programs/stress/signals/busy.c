#include "signals.h"

unsigned collatz(unsigned from) {
    unsigned steps = 0;
    for (unsigned long at = from; at != 1; steps++) at = at % 2 ? 3 * at + 1 : at / 2;
    return steps;
}

unsigned busy(void) {
    unsigned sum = 0;
    for (unsigned from = 1; from < 2000; from++) sum = sum * 31 + collatz(from);
    return sum;
}

int fault_and_escape(void) {
    int signal = sigsetjmp(escape, 1);
    if (signal == 0) *(volatile int *)16 = 1;
    return signal;
}
