// Rethrow, exception_ptr, nested exceptions, function-try blocks, STL errors, order of unwinding.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <new>
#include <stdexcept>
#include <typeinfo>
#include <vector>

void rethrow_current();
std::exception_ptr keep(int n);
void nested(int n);
struct Trace {
    int id;
    explicit Trace(int id) : id(id) { std::printf("+%d ", id); }
    ~Trace() { std::printf("-%d%s ", id, std::uncaught_exceptions() ? "!" : ""); }
};
void other_unwind(int depth);

struct Half {
    Trace a{1}, b{2};
    Half() try : b(3) {
        throw 7;
    } catch (int) {
        std::printf("half\n");
    }
};

struct Array {
    static int made;
    Trace t;
    Array() : t(10 + made) { if (++made == 3) throw std::runtime_error("third"); }
};
int Array::made = 0;

static int compare(const void *a, const void *b) {
    if (*(const int *)a == 3 || *(const int *)b == 3) throw std::logic_error("three");
    return *(const int *)a - *(const int *)b;
}

static void unwind(int depth) {
    Trace t(depth);
    if (depth == 0) throw std::out_of_range("bottom");
    other_unwind(depth);
}

void back(int depth) { unwind(depth - 1); }

template <class F> static void attempt(const char *what, F f) {
    try {
        f();
        std::printf("%s: nothing\n", what);
    } catch (const std::exception &e) {
        std::printf("%s: %s\n", what, e.what());
    } catch (int n) {
        std::printf("%s: int %d\n", what, n);
    }
}

int main() {
    attempt("rethrow", [] {
        try {
            throw std::runtime_error("first");
        } catch (...) {
            rethrow_current();
        }
    });
    std::exception_ptr p = keep(1), q = keep(2);
    attempt("pointer", [&] { std::rethrow_exception(p); });
    attempt("pointer twice", [&] { std::rethrow_exception(p); });
    attempt("other pointer", [&] { std::rethrow_exception(q); });
    p = q = nullptr;
    attempt("nested", [] {
        try {
            nested(3);
        } catch (const std::exception &e) {
            std::printf("%s < ", e.what());
            std::rethrow_if_nested(e);
        }
    });
    attempt("at", [] { std::printf("%d", std::vector<int>(3).at(5)); });
    volatile size_t huge = (size_t)-1 / 4;
    attempt("alloc", [&] { std::printf("%p", (void *)new char[huge]); });
    attempt("length", [] { std::vector<int>().reserve((size_t)-1); });
    attempt("function", [] { std::function<int()>()(); });
    attempt("half", [] { Half h; });
    attempt("array", [] { delete[] new Array[5]; });
    attempt("qsort", [] { int v[] = {5, 3, 1, 4}; std::qsort(v, 4, sizeof *v, compare); });
    attempt("sort", [] {
        std::vector<int> v{4, 2, 3, 1};
        std::sort(v.begin(), v.end(), [](int a, int b) { if (a == 3 || b == 3) throw 33; return a < b; });
    });
    attempt("unwind", [] { unwind(5); });
    attempt("cast", [] {
        struct A { virtual ~A() {} } a;
        struct B : A {};
        (void)dynamic_cast<B &>(static_cast<A &>(a));
    });
    return 0;
}
