/* A function or variable of libc has the same address through the GOT, through data, and in
 * another file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*any)(void);
any other_puts(void);
any other_strlen_data(void);
FILE **other_stdout(void);
char ***other_environ(void);
any const puts_data = (any)puts;
static any table[] = {(any)strlen, (any)qsort, (any)malloc};
extern char **environ;

int main(void) {
    printf("%d %d\n", (any)puts == other_puts(), puts_data == other_puts());
    printf("%d\n", table[0] == other_strlen_data());
    printf("%d %d\n", &stdout == other_stdout(), &environ == other_environ());
    printf("%d %d\n", table[1] == (any)qsort, table[2] == (any)malloc);
    ((int (*)(const char *))puts_data)("called through data");
    fprintf(*other_stdout(), "%d\n", (int)((size_t(*)(const char *))table[0])("12345"));
    return 0;
}
