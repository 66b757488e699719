#include <atomic>

#include "shapes.h"

static std::atomic<int> constructed{0};
static std::atomic<long> gone{0};

int first_use() {
    static const int once = ++constructed;
    return once;
}
int made() { return constructed; }

Counter::Counter() { gone--; }
Counter::~Counter() {
    // Its own life is over; the code that made it may be, too.
    CHECK(seen > 0);
    gone++;
}
int Counter::next() { return ++seen; }
thread_local Counter counter;
long counters_gone() { return gone; }

std::vector<std::function<int(int)>> functions() {
    std::vector<std::function<int(int)>> made;
    for (int i = 0; i < 8; i++) {
        std::string name(40 + i, 'x');
        made.push_back([name, i](int by) { return int(name.size()) * by + i; });
    }
    return made;
}
