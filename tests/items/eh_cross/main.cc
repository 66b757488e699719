// Thrown in one file, through C frames and an assembly frame, caught in another.
#include <cstdio>
#include <string>
#include "thrown.h"

extern "C" int c_frame(int (*f)(int), int n);
extern "C" int asm_frame(int (*f)(int), int n);

struct Guard {
    const char *name;
    ~Guard() { std::printf("~%s ", name); }
};

static int through(int (*f)(int), int n) {
    Guard guard{"through"};
    return c_frame(f, n) + 1;
}

int main() {
    for (int n = 0; n < 6; n++) {
        try {
            Guard outer{"outer"};
            std::printf("%d\n", through(thrower, n));
        } catch (const Derived &e) {
            std::printf("derived %d\n", e.code());
        } catch (const Base &e) {
            std::printf("base %d\n", e.code());
        } catch (int n) {
            std::printf("int %d\n", n);
        } catch (const std::string &s) {
            std::printf("string %s\n", s.c_str());
        } catch (...) {
            std::printf("something\n");
        }
    }
    try {
        asm_frame(thrower, 1);
    } catch (const Base &e) {
        std::printf("through assembly %d\n", e.code());
    }
    std::printf("%d\n", catches_itself(3));
    int sum = 0;
    for (int i = 0; i < 1000; i++) {
        try {
            through(quiet, i);
        } catch (int n) {
            sum += n;
        }
    }
    std::printf("\n%d\n", sum);
    return 0;
}
