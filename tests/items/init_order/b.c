#include <stdio.h>
#define MADE(name, ...) __attribute__((constructor __VA_ARGS__)) static void made_##name(void) { puts("made b " #name); }
#define GONE(name, ...) __attribute__((destructor __VA_ARGS__)) static void gone_##name(void) { puts("gone b " #name); }
static int made_count;
MADE(plain)
MADE(early, (101))
MADE(first, (102))
MADE(middle, (150))
GONE(plain)
GONE(early, (101))
GONE(last, (50000))
__attribute__((constructor(300))) static void count(void) { made_count++; }
int other(void) { return made_count; }
