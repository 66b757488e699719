typedef int fn(int);
int shared(int n) { return n * n; }
extern fn own;
static fn *slot = shared;
static int hidden(int n) { return n + 100; }
fn *other_code(void) { return shared; }
fn **other_data(void) { return &slot; }
fn *own_static(void) { return hidden; }
fn *main_own(void) { return own; }
