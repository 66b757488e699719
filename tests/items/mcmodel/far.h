extern int far_counter;
extern int big[100000];
extern int big_init[50000];
int far_function(int n);
int *far_end(void);
int *far_local(void);
