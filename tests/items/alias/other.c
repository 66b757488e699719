int original(int n) { return n * 3; }
int alias_function(int n) __attribute__((alias("original")));
int weak_alias_function(int n) __attribute__((weak, alias("original")));
int replaced_alias(int n) __attribute__((weak, alias("original")));
int original_data = 5;
extern int alias_data __attribute__((alias("original_data")));
extern int weak_alias_data __attribute__((weak, alias("original_data")));
static int inner(int n) { return n - 1; }
int through_static(int n) __attribute__((alias("inner")));
int *other_alias_data(void) { return &original_data; }
