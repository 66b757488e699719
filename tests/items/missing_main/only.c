#include <stdio.h>
int not_main(void) { return puts("never"); }
