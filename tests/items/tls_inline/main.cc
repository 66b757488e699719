// An inline thread-local variable that has a constructor: each file has a weak name for the
// function that initialises its thread-locals, beside the strong names for its own variables'.
#include <cstdio>
#include <thread>
#include "named.h"

long of_other();

int main() {
    long found = 0;
    std::thread([&] { found = of_other(); }).join();
    std::printf("%ld in a thread, %ld here, %s\n", found, of_other(), named.text);
    return 0;
}
