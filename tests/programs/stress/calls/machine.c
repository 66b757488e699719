#include "calls.h"

/* The addresses of labels are kept for the whole of a long run. */
long interpret(const unsigned char *program, long input) {
    static const void *const labels[] = {&&stop, &&increment, &&twice, &&classify, &&repeat, &&halve};
    long value = input, loops = 200;
    const unsigned char *at = program;
    goto *labels[*at++];
increment:
    value++;
    goto *labels[*at++];
twice:
    value = value * 2 % 1000003;
    goto *labels[*at++];
classify:
    value += classify((int)(value % 11));
    goto *labels[*at++];
halve:
    value /= 2;
    goto *labels[*at++];
repeat:
    at = loops-- ? program : at;
    goto *labels[*at++];
stop:
    return value;
}

int classify(int value) {
    switch (value) {
    case 0: return 5;
    case 1: return 9;
    case 2: return 2;
    case 3: return 77;
    case 4: return -3;
    case 5: return 12;
    case 6: return 1000;
    case 7: return 8;
    case 8: return 41;
    default: return value & 1;
    }
}
