#include <cstdio>
struct Noisy {
    const char *name;
    int id;
    explicit Noisy(const char *name);
    ~Noisy();
};
extern thread_local Noisy shared;
extern thread_local int computed;
int compute();
void function_local(const char *who);
inline int &inline_count() {
    static thread_local int count = 40;
    return count;
}
