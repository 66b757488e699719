int from_three(int n);
int from_two(int n) { return n < 3 ? from_three(n) * 2 : n; }
