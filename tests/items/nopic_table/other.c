extern int far_table[16];
int lookup(unsigned i) { return far_table[i & 15]; }
