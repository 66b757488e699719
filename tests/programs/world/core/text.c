#include "world/core.h"

size_t text_repeat(char *to, size_t room, char c, int count) {
    size_t length = 0;
    while (length + 1 < room && count-- > 0) to[length++] = c;
    if (room) to[length] = 0;
    return length;
}

int text_width(const char *text) {
    int width = 0;
    for (; *text; text++) width += (*text & 0xc0) != 0x80;
    return width;
}
