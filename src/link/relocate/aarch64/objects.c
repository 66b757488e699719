// One use of everything that the compiler has a way to reach.
extern int far_int;
extern long far_long;
extern short far_short;
extern char far_chars[];
extern double far_double;
extern __int128 far_wide;
typedef long vector __attribute__((vector_size(16)));
extern vector far_vector;
extern int far_weak __attribute__((weak));
extern int far_function(int);

static int counter;
static int table[100];
static const char *names[] = {"zero", "one", "two", "three"};
static unsigned char flags[64];
static __int128 wide;

int *address_of_far(void) { return &far_int; }
int *address_of_weak(void) { return &far_weak; }
void *address_of_function(void) { return (void *)far_function; }
int *address_inside(void) { return table + 40; }
int *address_outside(void) { return table - 3; }

int load_int(void) { return far_int; }
long load_long(void) { return far_long; }
int load_short(void) { return far_short; }
int load_char(void) { return far_chars[5]; }
double load_double(void) { return far_double; }
__int128 load_wide(void) { return far_wide; }
vector load_vector(void) { return far_vector; }
double constant(double x) { return x * 3.14159 + 2.71828; }
const char *name(int i) { return names[i & 3]; }
const char *literal(void) { return "a literal"; }
void store(int i, int x) { table[i] = x; flags[3] = x; wide += x; }
int sum(void) {
  int s = flags[3] + (int)wide;
  for (int i = 0; i < 100; i++) s += table[i];
  return s;
}

int call(int x) { counter += x; return far_function(x) + 1; }
int tail(int x) { return far_function(x); }
int branch(int x) { return x ? far_function(x) : 0; }

int jump_table(int x, int y) {
  switch (x) {
  case 0: return far_function(y);
  case 1: return y * 3 + far_int;
  case 2: return far_function(y) * far_int;
  case 3: return y - 7;
  case 4: return far_function(4) ^ y;
  case 5: return far_int * y;
  case 6: return counter;
  default: return 0;
  }
}

int computed_goto(int x) {
  static void *const targets[] = {&&one, &&two, &&three};
  goto *targets[x];
one:
  return far_function(1);
two:
  return far_function(2);
three:
  return far_int;
}

#ifndef NO_THREAD
extern _Thread_local int far_thread;
static _Thread_local int own_thread;
static _Thread_local long own_block[20];
_Thread_local long shared_thread = 7;
int *address_of_thread(void) { return &far_thread; }
int own(void) { return ++own_thread; }
long shared(void) { return ++shared_thread + own_block[3]; }
void set(int i, long x) { own_block[i] = x; }
#endif
