/* Linked into the program, behind everything else: says when the program could call the edited
   function, and waits there. Does nothing unless asked to. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

extern int hotslot_compare_entry(void);

__attribute__((weak)) int main(void) { return 0; }

__attribute__((constructor)) static void ready(void) {
    const char *wish = getenv("HOTSLOT_COMPARE");
    if (!wish) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int answer = *wish == 'c' ? hotslot_compare_entry() : 0;
    /* Standard input is the other end of the host's pipe. */
    if (write(0, &answer, sizeof answer) != sizeof answer) _exit(1);
    for (;;) pause();
}
