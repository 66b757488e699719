int data = 1, zeroed[100];
_Thread_local int local = 2;
int other_change(void) { return ++data + zeroed[50] + local; }
