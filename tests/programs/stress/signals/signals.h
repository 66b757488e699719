#ifndef SIGNALS_H
#define SIGNALS_H
#include <setjmp.h>
#include <signal.h>

#include "../rounds.h"

/* handlers.c */
extern volatile sig_atomic_t ticks, nested;
extern sigjmp_buf escape;
void tick(int signal, siginfo_t *info, void *context);
void leave(int signal);
int on_the_signal_stack(void);
void set_signal_stack(void);

/* busy.c */
unsigned collatz(unsigned from);
unsigned busy(void);
int fault_and_escape(void);
#endif
