/* popen and system, environment, arguments, standard input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern char **environ;
char *other_getenv(const char *name);
int main(int argc, char **argv, char **envp) {
    char line[200];
    for (int i = 1; i < argc; i++) printf("[%s]", argv[i]);
    printf(" %d %d\n", argc, argv[argc] == NULL);
    while (fgets(line, sizeof line, stdin)) printf("%zu:%s", strlen(line), line);
    printf("%d %d\n", feof(stdin) != 0, getchar() == EOF);
    printf("%s %s\n", getenv("ITEM_VALUE"), other_getenv("ITEM_VALUE"));
    setenv("ITEM_ADDED", "added", 1);
    int found = 0, passed = 0;
    for (char **e = environ; *e; e++) found += !strcmp(*e, "ITEM_ADDED=added");
    for (char **e = envp; *e; e++) passed += !strcmp(*e, "ITEM_VALUE=a b c");
    printf("%d %d %s\n", found, passed, other_getenv("ITEM_ADDED"));
    fflush(stdout);
    int code = system("echo from system $ITEM_ADDED; exit 3");
    printf("%d\n", code >> 8);
    FILE *p = popen("echo one; echo two", "r");
    while (fgets(line, sizeof line, p)) printf("read %s", line);
    printf("%d\n", pclose(p));
    fflush(stdout);
    p = popen("cat", "w");
    fprintf(p, "written\n");
    printf("%d\n", pclose(p));
    return 0;
}
