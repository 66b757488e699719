#define IN(name) __attribute__((section(name)))
IN("my_data") int elsewhere = 60;
IN("my_code") int other_in_own(int n) { return n + elsewhere; }
