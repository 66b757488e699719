#include "thrown.h"
#include <stdexcept>
#include <string>
Base::~Base() {}
int Base::code() const { return value; }
int Derived::code() const { return value * 10; }
int thrower(int n) {
    switch (n) {
    case 0: return 100;
    case 1: throw Derived(1);
    case 2: throw Base(2);
    case 3: throw 3;
    case 4: throw std::string("four, long enough to be on the heap");
    default: throw 5.0;
    }
}
int quiet(int n) {
    if (n % 2) throw n;
    return n;
}
int catches_itself(int n) {
    try {
        return thrower(n);
    } catch (int m) {
        return -m;
    }
}
