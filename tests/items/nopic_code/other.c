int callee(int n) { return n + 1; }
int apply(int (*f)(int), int n) { return f(n) + 1; }
