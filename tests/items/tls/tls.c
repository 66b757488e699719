#include "tls.h"
_Thread_local int far_init = 5;
_Thread_local int far_zero;
_Thread_local int far_array[16] = {1, 2, 3};
_Thread_local _Alignas(64) char aligned = 1;
static _Thread_local int private_a = 3, private_b;
static _Thread_local const char *private_text = "text";
void far_step(void) { private_a++; private_b += private_a; }
long far_sum(void) {
    long sum = 0;
    for (int i = 0; i < 16; i++) sum += far_array[i];
    return sum;
}
long far_here(void) { return here; }
int far_private(void) { return private_a * 1000 + private_b + private_text[1]; }
int *far_pointer(void) { return &far_init; }
