char other_big[1 << 20];
char *other_end(void) { return other_big + sizeof other_big - 1; }
