/* The old .ctors and .dtors sections, filled by assembly, beside a normal constructor. */
#include <stdio.h>

void say_a(void) { puts("ctor a"); }
void say_b(void) { puts("ctor b"); }
void end_a(void) { puts("dtor a"); }
void end_b(void) { puts("dtor b"); }

int main(void) {
    puts("main");
    return 0;
}
