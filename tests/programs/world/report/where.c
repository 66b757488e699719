/* Its name for C++ is written out: C has no namespaces. */
const char *where(void) __asm__("_ZN6report5whereEv");

const char *where(void) { return __FILE__; }
