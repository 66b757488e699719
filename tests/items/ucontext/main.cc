// Contexts on stacks of their own, with exceptions thrown and caught on them.
#include <cstdio>
#include <cstdlib>
#include <ucontext.h>
int other_step(int n);
static ucontext_t main_context, a, b;
static int turns;
static void first(int n) {
    for (int i = 0; i < 3; i++) {
        try {
            std::printf("first %d\n", other_step(n + i));
        } catch (int caught) {
            std::printf("first caught %d\n", caught);
        }
        turns++;
        swapcontext(&a, &b);
    }
}
static void second() {
    for (int i = 0; i < 3; i++) {
        try {
            other_step(i);
            throw 2.5;
        } catch (double d) {
            swapcontext(&b, &a);
            std::printf("second still has %.1f\n", d);
        } catch (int n) {
            std::printf("second caught %d\n", n);
        }
    }
}
int main() {
    getcontext(&a);
    a.uc_stack.ss_sp = std::malloc(1 << 17);
    a.uc_stack.ss_size = 1 << 17;
    a.uc_link = &main_context;
    makecontext(&a, reinterpret_cast<void (*)()>(first), 1, 4);
    getcontext(&b);
    b.uc_stack.ss_sp = std::malloc(1 << 17);
    b.uc_stack.ss_size = 1 << 17;
    b.uc_link = &a;
    makecontext(&b, second, 0);
    swapcontext(&main_context, &a);
    std::printf("turns %d\n", turns);
    return 0;
}
