#include "aligned.h"
#include <stdint.h>
_Alignas(64) char other_64[1];
char small_pad = 1;
_Alignas(4096) char other_page[1] = {5};
_Alignas(64) long other_common;
typedef float vector __attribute__((vector_size(16)));
static vector lanes[3] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
__attribute__((aligned(128), noinline)) int other_aligned_code(int n) { return n * other_page[0]; }
/* The stack of a called function is aligned by the rules of the ABI. */
__attribute__((noinline)) int other_stack(void) {
    volatile _Alignas(16) char here[16] = {0};
    return ((uintptr_t)here & 15) == 0;
}
int other_vector(void) {
    vector sum = lanes[0] * lanes[1] + (vector){0.5f, 0.5f, 0.5f, 0.5f};
    return (int)(sum[0] + sum[1] + sum[2] + sum[3]);
}
