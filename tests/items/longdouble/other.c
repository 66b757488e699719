const long double other_pi = 3.14159265358979323846264338327950288L;
long double other_table[3] = {0.5L, 1.5L, -2.5L};
long double other_poly(long double x) { return ((x * 2.25L - 1.125L) * x + other_pi) * x - 7; }
