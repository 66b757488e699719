// thread_local objects with constructors and destructors, shared between files.
#include <cstdio>
#include <thread>
#include "noisy.h"

static thread_local Noisy own("own");
thread_local int computed = compute();

static void touch(const char *who) {
    std::printf("%s: %s %d %s %d\n", who, own.name, own.id, shared.name, shared.id);
    std::printf("%s: computed %d, inline %d\n", who, computed, ++inline_count());
    function_local(who);
}

int main() {
    touch("main");
    std::thread([] { touch("first"); }).join();
    std::thread([] { std::puts("untouched"); }).join();
    std::thread([] { touch("second"); }).join();
    touch("main again");
    static Noisy at_exit("static");
    return 0;
}
