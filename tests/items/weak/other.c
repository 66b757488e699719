int overridden(void) { return 20; }
int weak_data = 30;
int somebody(int n) { return n + 7; }
int somebody_data = 70;
__attribute__((weak)) int both_weak(void) { return 50; }
extern int weak_alone __attribute__((weak));
int other(void) { return weak_alone + 1; }
int (*other_overridden(void))(void) { return overridden; }
int *other_weak_data(void) { return &weak_data; }
