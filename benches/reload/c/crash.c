/* A program whose edited function crashes, in a call that hotslot guards.
 *
 * It says which number `step` has left whenever that is another one, and after a crash how many
 * nanoseconds after it the first call of code that does not crash came back. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int hotslot_guarded(void (*function)(void *), void *data);

long long crashing_at;

long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

void step(void *data) {
  *(int *)data = 1;
}

int main(void) {
  int told = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (;;) {
    int number = 0;
    if (hotslot_guarded(step, &number)) {
      continue;
    }
    if (crashing_at != 0) {
      printf("%lld crashed, %lld goes on\n", crashing_at, now());
      crashing_at = 0;
      told = 0;
    }
    if (number != told) printf("%d\n", told = number);
    usleep(1000);
  }
}
