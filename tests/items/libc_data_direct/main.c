/* Without -fPIC the data of libc is reached PC-relative, which a static link serves by a copy
 * relocation. */
extern char **environ;
int main(void) { return environ ? 4 : 5; }
