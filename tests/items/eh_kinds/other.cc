#include <cstdio>
#include <exception>
#include <stdexcept>
void back(int depth);
void rethrow_current() {
    try {
        throw;
    } catch (std::runtime_error &e) {
        e = std::runtime_error(std::string(e.what()) + " again");
        throw;
    }
}
std::exception_ptr keep(int n) {
    try {
        if (n == 1) throw std::range_error("kept one");
        return std::make_exception_ptr(n * 21);
    } catch (...) {
        return std::current_exception();
    }
}
void nested(int n) {
    try {
        throw std::logic_error("inner");
    } catch (...) {
        std::throw_with_nested(std::runtime_error(n == 3 ? "outer" : "?"));
    }
}
struct Other {
    int depth;
    ~Other() { std::printf("~%d ", depth); }
};
void other_unwind(int depth) {
    Other o{depth};
    back(depth);
}
