/* A function has one address, whichever file asks and however it asks. */
#include <stdio.h>

typedef int fn(int);
extern fn shared;
fn *other_code(void);
fn **other_data(void);
fn *own_static(void);
fn *const here = shared;
static fn *const local_table[] = {shared, shared};

int own(int n) { return n - 1; }
fn *main_own(void);

int main(void) {
    fn *a = shared;
    printf("%d %d %d\n", a == other_code(), a == *other_data(), a == here);
    printf("%d %d\n", local_table[0] == other_code(), local_table[1] == *other_data());
    printf("%d %d\n", own == main_own(), main_own()(5));
    printf("%d %d\n", own_static() == own_static(), own_static()(5));
    printf("%d %d\n", a(4), other_code()(5));
    return 0;
}
