struct small { int a, b; };
struct mixed { double d; long l; };
struct big { long v[5]; };
int to_buffer(char *out, const char *format, ...);
double mixture(const char *kinds, ...);
struct big by_value(struct big b, struct mixed m, struct small s);
long double long_doubles(long double a, int b, long double c);
