#include <cstdio>
struct Object {
    static int alive;
    const char *name;
    int id;
    explicit Object(const char *name) : name(name), id(++alive) { std::printf("+%s %d\n", name, id); }
    Object(const Object &) = delete;
    ~Object() { std::printf("-%s %d\n", name, id); }
    void touch() { std::printf("touch %s\n", name); }
};
