/* Without -fPIC an indexed table is a sign-extended 32-bit displacement. */
int lookup(unsigned i);
int far_table[16] = {3, 1, 4, 1, 5, 9, 2, 6};
int main(void) { return lookup(4) * 10 + lookup(5); }
