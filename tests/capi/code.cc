// What the host in C++ loads.

#include <stdexcept>

extern "C" {
void host_throws();

void catches(int *result) {
    try {
        throw 7;
    } catch (int number) {
        *result = number;
    }
}

void throws(void *) { throw std::runtime_error("of the code"); }

void has_host_throw(void *) { host_throws(); }

void crashes(volatile int *place) { *place = 1; }
}
