/* Thread-local variables: own, exported, another module's. */
_Thread_local int exported = 5;
_Thread_local int zeroed_too[4];
static _Thread_local int hidden;
static _Thread_local int other;
extern int *outside_address(int *);
int next(void) { return ++exported + zeroed_too[1]; }
int *where(int n) { return n ? &hidden : outside_address(&other); }
