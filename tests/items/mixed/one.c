extern int mixed_data;
int from_two(int n);
int from_one(int n) { return from_two(n) + mixed_data; }
