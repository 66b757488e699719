int other_step(int n) {
    if (n % 3 == 2) throw n;
    return n * 10;
}
