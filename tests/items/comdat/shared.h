#include <cstdio>
#include <typeinfo>
struct Sized {
    int value;
    Sized() : value(11) { std::printf("inline variable made\n"); }
    int size() const { return value; }
    operator int() const { return value; }
    int *operator&() { return &value; }
};
inline Sized inline_variable;
inline int inline_function(int n) { return n + 100; }
inline int &static_local() {
    static int calls = inline_function(0);
    return calls;
}
template <class T> T twice(T v) {
    static int uses = 0;
    return v * 2 + uses++;
}
template <class T> struct Box {
    static int count;
    T value;
    explicit Box(T v) : value(v) { count++; }
    virtual ~Box() { count--; }
};
template <class T> int Box<T>::count = 5;
template <class T> T &once() {
    static T value = [] {
        std::printf("made once\n");
        return T(31);
    }();
    return value;
}
