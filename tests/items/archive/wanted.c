int inner(int n);
int wanted(int n) { return inner(n) + 1; }
