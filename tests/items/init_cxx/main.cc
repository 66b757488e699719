// Static objects of several files: order of construction and destruction.
#include "object.h"
static Object first("main first");
static Object early __attribute__((init_priority(500))) = Object("main early");
Object &get_other();
static Object second("main second");
template <class T> struct Holder { static Object object; };
template <class T> Object Holder<T>::object("template");
int main() {
    std::printf("main %d %d\n", Object::alive, get_other().id);
    static Object local("local");
    Holder<int>::object.touch();
    static Object later("later");
    return 0;
}
