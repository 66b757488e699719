#include "noisy.h"
static int next_id = 1;
Noisy::Noisy(const char *name) : name(name), id(next_id++) { std::printf("+%s%d\n", name, id); }
Noisy::~Noisy() { std::printf("-%s%d\n", name, id); }
thread_local Noisy shared("shared");
int compute() { return next_id * 100; }
void function_local(const char *who) {
    thread_local Noisy inner("inner");
    std::printf("%s: inner %d, computed %d, inline %d\n", who, inner.id, computed, inline_count());
}
