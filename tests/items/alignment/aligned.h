extern char other_64[], other_page[];
extern long other_common;
int other_aligned_code(int n);
int other_stack(void);
int other_vector(void);
