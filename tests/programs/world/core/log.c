#include <stdarg.h>
#include <stdio.h>
#include "world/core.h"

static int lines;

void log_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%4d| ", ++lines);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
}

int log_count(void) { return lines; }
