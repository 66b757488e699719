#define VIS(v) __attribute__((visibility(v)))
extern VIS("hidden") int hidden_data;
extern VIS("internal") int internal_data;
extern int protected_data;
VIS("hidden") int hidden_function(int n);
VIS("internal") int internal_function(int n);
int protected_function(int n);
int read_hidden(void), read_internal(void), read_protected(void);
int (*hidden_address(void))(int);
int (*protected_address(void))(int);
int *hidden_where(void), *protected_where(void);
