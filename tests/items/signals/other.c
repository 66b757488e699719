#include <signal.h>
extern volatile sig_atomic_t count;
void other_handler(int sig) { count += sig == SIGUSR1 ? 1 : 1000; }
