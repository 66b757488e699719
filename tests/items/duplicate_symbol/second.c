int defined_twice(void) { return 2; }
