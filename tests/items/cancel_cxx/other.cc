#include <cstdio>
#include <unistd.h>
struct Other {
    ~Other() { std::puts("~other"); }
};
void other_block(int fd) {
    Other other;
    char c;
    if (read(fd, &c, 1) == 1) std::puts("read");
}
