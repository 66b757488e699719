#include "args.h"
#include <stdarg.h>
#include <stdio.h>
int to_buffer(char *out, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int n = vsprintf(out, format, list);
    va_end(list);
    return n;
}
double mixture(const char *kinds, ...) {
    va_list list;
    double total = 0;
    va_start(list, kinds);
    for (; *kinds; kinds++) switch (*kinds) {
        case 's': { struct small s = va_arg(list, struct small); total += s.a + s.b; break; }
        case 'm': { struct mixed m = va_arg(list, struct mixed); total += m.d + m.l; break; }
        case 'b': { struct big b = va_arg(list, struct big); total += b.v[0] + b.v[4]; break; }
        case 'd': total += va_arg(list, double); break;
        case 'l': total += va_arg(list, long); break;
        case 'L': total += va_arg(list, long double); break;
        }
    va_end(list);
    return total;
}
struct big by_value(struct big b, struct mixed m, struct small s) {
    b.v[0] += (long)m.d + s.a;
    b.v[4] += m.l + s.b;
    return b;
}
long double long_doubles(long double a, int b, long double c) { return a * b + c; }
