#include "world/core.h"

static _Alignas(16) unsigned char memory[1 << 16];
static size_t used;

void *arena_take(size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof memory - used) return NULL;
    void *place = memory + used;
    used += size;
    return place;
}

void arena_reset(void) { used = 0; }

size_t arena_used(void) { return used; }
