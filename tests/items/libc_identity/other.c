#include <stdio.h>
#include <string.h>
typedef void (*any)(void);
extern char **environ;
static any held = (any)strlen;
any other_puts(void) { return (any)puts; }
any other_strlen_data(void) { return held; }
FILE **other_stdout(void) { return &stdout; }
char ***other_environ(void) { return &environ; }
