/* Variable arguments: through pointers, forwarded lists, every class of value. */
#include <stdarg.h>
#include <stdio.h>
#include "args.h"
static int (*volatile printer)(const char *, ...) = printf;
typedef int forwarder(char *, const char *, ...);
forwarder *volatile forward = to_buffer;
static int sum(int count, ...) {
    va_list list, again;
    va_start(list, count);
    va_copy(again, list);
    int total = 0;
    for (int i = 0; i < count; i++) total += va_arg(list, int);
    for (int i = 0; i < count; i++) total += va_arg(again, int) * 100;
    va_end(again);
    va_end(list);
    return total;
}
int main(void) {
    char buffer[200];
    printer("%d %s %.2f %c %Lf\n", 1, "two", 3.0, '4', 5.5L);
    int n = forward(buffer, "%d %d %d %d %d %d %d %.1f %.1f %.1f %.1f %.1f %.1f %.1f %.1f %.1f %Lf", 1, 2, 3,
                    4, 5, 6, 7, 1., 2., 3., 4., 5., 6., 7., 8., 9., 10.25L);
    printf("%d %s\n", n, buffer);
    printf("%d\n", sum(12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    struct small s = {1, 2};
    struct mixed m = {3.5, 4};
    struct big b = {{5, 6, 7, 8, 9}};
    printf("%.2f\n", mixture("smbdlL", s, m, b, 10.5, 11L, 12.25L));
    printf("%.2f\n", mixture("bbddddddddddss", b, b, 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., s, s));
    struct big r = by_value(b, m, s);
    printf("%ld %ld %.1Lf\n", r.v[0], r.v[4], long_doubles(1.5L, 2, 2.5L));
    return 0;
}
