/* The main of a measured program: for every byte that it reads from standard input it runs
 * the program's own main, renamed to program_main, and prints the processor time that took
 * on standard error. The same file is linked into the native program and loaded by hotslot,
 * so both read the same clock around the same work: what loading costs is outside, what
 * calling costs inside. A first line says that loading is over. */
#undef main
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int program_main(int argc, char **argv);

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  int result = 0;
  char go;
  fprintf(stderr, "ready\n");
  while (read(0, &go, 1) == 1) {
    double start = now();
    result |= program_main(argc, argv);
    fprintf(stderr, "turn %.9f\n", now() - start);
  }
  return result;
}
