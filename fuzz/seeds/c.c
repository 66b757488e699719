/* Calls, addresses, a jump table, variables of every kind. */
extern int outside(int);
extern int outside_variable;
__attribute__((weak)) extern int maybe(int);
int counter = 3;
int zeroed[16];
static int own;
const char *names[] = {"one", "two", "three"};
static int half(int n) { return n / 2 + own++; }
int (*const table[])(int) = {half, outside, maybe};
int pick(int n) {
    switch (n) {
    case 0: return outside(1);
    case 1: return zeroed[3];
    case 2: return half(counter);
    case 3: return names[counter][0];
    case 4: return own;
    case 5: return outside_variable;
    }
    return maybe ? maybe(n) : table[n & 1](n);
}
