#include <sys/wait.h>
#include <unistd.h>

#include "forks.h"

static int forked(int code) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        // Exit handlers run in a child, too.
        if (code % 3 == 0) exit(child_work(200) + code);
        int before = count_calls();
        for (int i = 1; i < 2000; i++) CHECK(count_calls() == before + i);
        _exit(throw_and_catch(code));
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int main() {
    FOR(1) {
        CHECK(forked(1) == 2);
        CHECK(forked(3) == 5 + 3);
    }
    puts("children came and went");
    return 0;
}
