/* Would collide with main.c, and is not asked for. */
int never_asked_for(void) { return 1; }
int main(void) { return never_asked_for(); }
