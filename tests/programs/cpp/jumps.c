/* C: setjmp and longjmp, varargs, computed goto, structures by value, thread-local in C. */
#include "jumps.h"

#include <setjmp.h>
#include <stdarg.h>

static jmp_buf escape;
static int depth;
int c_common_variable;
static _Thread_local int counter = 3;
const char *const c_messages[] = {"zero", "one", "two", 0};

int c_loop_until_escape(int (*step)(void *user, int i), void *user) {
  volatile int i = 0;
  int value = setjmp(escape);
  if (value != 0) {
    depth = 0;
    return value * 1000 + i;
  }
  for (;; i++) {
    depth++;
    step(user, i);
  }
}

void c_escape(int value) { longjmp(escape, value); }

double c_sum(const char *types, ...) {
  double sum = 0;
  va_list list, again;
  va_start(list, types);
  va_copy(again, list);
  for (const char *t = types; *t; t++) switch (*t) {
      case 'i': sum += va_arg(list, int); break;
      case 'l': sum += (double)va_arg(list, long); break;
      case 'd': sum += va_arg(list, double); break;
      case 'L': sum += (double)va_arg(list, long double); break;
      case 'p': sum += *va_arg(list, const int *); break;
      case 's': sum += (double)va_arg(list, struct c_pair).first; break;
    }
  if (types[0] == 'i') sum += va_arg(again, int) * 100.0;
  va_end(list);
  va_end(again);
  return sum;
}

int c_pass_through(int (*callback)(void *), void *user) {
  int result = callback(user);
  c_common_variable += result;
  return result + 1;
}

/* 0 end, 1 push next byte, 2 add, 3 multiply, 4 jump back if positive after decrement. */
int c_interpret(const unsigned char *code) {
  static const void *const labels[] = {&&end, &&push, &&add, &&multiply, &&loop};
  int stack[16], top = 0;
  const unsigned char *at = code;
  int rounds = 5;
  goto *labels[*at++];
push:
  stack[top++] = *at++;
  goto *labels[*at++];
add:
  top--;
  stack[top - 1] += stack[top];
  goto *labels[*at++];
multiply:
  top--;
  stack[top - 1] *= stack[top];
  goto *labels[*at++];
loop:
  if (--rounds > 0) at -= *at;
  else at++;
  goto *labels[*at++];
end:
  return stack[0];
}

int c_thread_local_bump(int by) { return counter += by; }

struct c_pair c_swap_pair(struct c_pair pair) {
  struct c_pair swapped = {(long)pair.second, (double)pair.first};
  return swapped;
}

struct c_big c_reverse(struct c_big big) {
  struct c_big reversed;
  for (int i = 0; i < 9; i++) reversed.words[i] = big.words[8 - i];
  return reversed;
}

long double c_long_double(long double x, int n) {
  return n == 0 ? 1.0L : x * c_long_double(x, n - 1) + 1e-18L;
}
