int defined_twice(void) { return 1; }
int main(void) { return 0; }
