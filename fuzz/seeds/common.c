/* COMMON symbols; calls through the table. */
int shared_number;
long shared_numbers[8];
extern int outside_common(long *);
int first_common(void) { return outside_common(shared_numbers) + shared_number; }
int last_common(int n) { return n > 0 ? last_common(n - 1) : outside_common(&shared_numbers[1]); }
