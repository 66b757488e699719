#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processes.h"

int main(void) {
    int lines = 0;
    FOR(0.4) CHECK(strcmp(line_of("echo through a pipe"), "through a pipe\n") == 0);
    FOR(0.3) CHECK(code_of("exit 9") == 9);
    FOR(0.3) CHECK(system("exit 4") == 4 << 8);
    lines += strlen(line_of("echo 1 2 3")) == 6;
    /* Nobody's child but ours: there is none to wait for now. */
    CHECK(waitpid(-1, 0, 0) == -1);
    puts(lines ? "programs came and went" : "nothing was read");
    return 0;
}
