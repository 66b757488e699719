int c_frame(int (*f)(int), int n) {
    volatile char pad[100];
    pad[n & 63] = (char)n;
    return f(n) + pad[n & 63] - n;
}
