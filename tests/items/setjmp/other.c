#include <setjmp.h>
extern jmp_buf shared;
void jump_back(int depth, int code) {
    volatile char pad[200];
    pad[depth] = 1;
    if (depth > 0) jump_back(depth - 1, code);
    else longjmp(shared, code);
    pad[depth] = 2;
}
int other_set(void (*f)(int, int)) {
    volatile int before = 5;
    int code = setjmp(shared);
    if (code == 0) {
        before = 6;
        f(7, 1000);
    }
    return code + before;
}
