/* fork with atfork handlers: the child's writes to data, zeroed data and thread data stay its own. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern int data, zeroed[100];
extern _Thread_local int local;
int other_change(void);
static void prepare(void) { puts("prepare"); fflush(stdout); }
static void parent(void) { puts("parent handler"); }
static void child(void) { if (write(1, "child handler\n", 14)) {} }
int main(void) {
    int status;
    pthread_atfork(prepare, parent, child);
    pid_t pid = fork();
    if (pid == 0) {
        data = 99, zeroed[50] = 77, local = 55;
        char line[80];
        int n = snprintf(line, sizeof line, "child %d\n", other_change());
        if (write(1, line, n)) {}
        _exit(42);
    }
    waitpid(pid, &status, 0);
    printf("%d %d %d %d\n", WEXITSTATUS(status), data, zeroed[50], local);
    printf("parent %d\n", other_change());
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        puts("child exits");
        exit(5);
    }
    waitpid(pid, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    fflush(stdout);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/echo", "echo", "executed", (char *)NULL);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    return 0;
}
