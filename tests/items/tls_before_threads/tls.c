int target = 40;
int bump(int n) { return n + 1; }
_Thread_local int *pointer = &target;
_Thread_local int (*call)(int) = bump;
