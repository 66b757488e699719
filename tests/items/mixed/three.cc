#include <stdexcept>
extern "C" int from_one(int n);
extern "C" int mixed_data;
static int checked(int n) {
    if (n == 3) throw std::runtime_error("three");
    return n;
}
extern "C" int from_three(int n) {
    try {
        return checked(n);
    } catch (const std::exception &e) {
        mixed_data++;
        return from_one(e.what()[0]);
    }
}
