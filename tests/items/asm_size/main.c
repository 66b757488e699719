/* R_X86_64_SIZE32 and SIZE64: the size of a symbol as a value. */
#include <stdint.h>
#include <stdio.h>

char buffer[1234];
extern const uint32_t size32;
extern const uint64_t size64;

int main(void) {
    printf("%u %llu\n", size32, (unsigned long long)size64);
    return 0;
}
