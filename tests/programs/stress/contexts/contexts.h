#ifndef CONTEXTS_H
#define CONTEXTS_H
#include <ucontext.h>

#include "../rounds.h"

enum { COROUTINES = 16, STACK = 64 << 10 };

/* switch.c */
void start(int number);
int resume(int number);
void yield(int value);

/* body.c */
void body(int number);
int step(int number, int turn);
#endif
