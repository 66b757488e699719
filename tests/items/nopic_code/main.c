/* Without -fPIC an address is a 32-bit immediate. No strings here: the only such address is
 * that of `callee`, so the error must name it. */
int callee(int n);
int apply(int (*f)(int), int n);
int main(void) { return apply(callee, 20); }
