/* Constructors and destructors by priority, across files. */
#include <stdio.h>
#define MADE(name, ...) __attribute__((constructor __VA_ARGS__)) static void made_##name(void) { puts("made a " #name); }
#define GONE(name, ...) __attribute__((destructor __VA_ARGS__)) static void gone_##name(void) { puts("gone a " #name); }
MADE(plain)
MADE(early, (101))
MADE(middle, (200))
MADE(late, (65000))
GONE(plain)
GONE(early, (101))
GONE(middle, (200))
__attribute__((constructor)) void visible(void) { puts("made a visible"); }
int other(void);
int main(void) {
    printf("main %d\n", other());
    return 0;
}
