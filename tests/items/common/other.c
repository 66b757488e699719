int plain;
char small_here[100];
int defined_there = 42;
int aligned_here;
int *other_plain(void) { return &plain; }
char *other_small(void) { return small_here; }
int *other_defined(void) { return &defined_there; }
int *other_aligned(void) { return &aligned_here; }
int small_last(void) { return small_here[99]; }
