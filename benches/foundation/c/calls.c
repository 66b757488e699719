/* One loop around one call. The same source is compiled three times: CALLEE is a function of
 * this file that is not inlined, or a function of another module, called through its slot
 * (-fno-plt) or through its stub. What is called does next to nothing, so that the call is
 * what is measured; the result of each call is the argument of the next. */
#ifdef OWN
static __attribute__((noinline)) long CALLEE(long x) {
  __asm__ volatile("" : "+r"(x));
  return x + 1;
}
#else
extern long CALLEE(long);
#endif

#ifdef RUN
long RUN(long n) {
  long x = 0;
  for (long i = 0; i < n; i++) x = CALLEE(x);
  return x;
}
#else
long CALLEE(long x) {
  __asm__ volatile("" : "+r"(x));
  return x + 1;
}
#endif
