#include "named.h"

int made = 100;

Named::Named() : text("named") { made++; }
Named::~Named() { made--; }

struct Counted {
    int number;
    Counted() : number(named.text[0] + made) {}
    ~Counted() { made -= 10; }
};

thread_local Counted counted;

long of_other() {
    static thread_local int calls = 0;
    return counted.number + ++calls + named.text[4];
}
