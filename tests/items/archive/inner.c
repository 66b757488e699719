int wanted_data = 9;
int inner(int n) { return n * 10 + wanted_data; }
