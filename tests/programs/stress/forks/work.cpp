#include <stdexcept>
#include <string>

#include "forks.h"

static int calls;

int count_calls() { return ++calls; }

static int thrower(int value) {
    if (value >= 0) throw std::runtime_error(std::to_string(value));
    return value;
}

int throw_and_catch(int value) {
    try {
        return thrower(value);
    } catch (const std::exception &error) {
        return std::stoi(error.what()) + 1;
    }
}

// Long enough for the parent to replace this many times meanwhile.
int child_work(int rounds) {
    int sum = 0;
    for (int i = 0; i < rounds; i++) sum += throw_and_catch(i % 10);
    return sum / rounds;
}
