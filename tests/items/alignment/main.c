/* Large alignments of data, zeroed data, constants, thread data and code. */
#include <stdint.h>
#include <stdio.h>
#include "aligned.h"
static char odd = 1;
_Alignas(64) char by_64[3] = {1, 2, 3};
_Alignas(4096) char page[10] = {1};
_Alignas(4096) char zero_page[5000];
static const _Alignas(256) int constants[3] = {1, 2, 3};
__attribute__((aligned(64))) int code_64(int n) { return n + odd; }
__attribute__((aligned(4096))) static int code_page(int n) { return code_64(n) * 2; }
static int is(const void *p, uintptr_t by) { return ((uintptr_t)p & (by - 1)) == 0; }
int main(void) {
    _Alignas(128) volatile char local[4] = {odd};
    printf("%d %d %d %d %d\n", is(by_64, 64), is(page, 4096), is(zero_page, 4096), is(constants, 256),
           is((const char *)local, 128));
    printf("%d %d %d\n", is(other_page, 4096), is(other_64, 64), is(&other_common, 64));
    printf("%d %d %d\n", code_page(2), other_aligned_code(3), constants[1] + page[0] + zero_page[4999]);
    printf("%d %d\n", other_stack(), other_vector());
    return 0;
}
