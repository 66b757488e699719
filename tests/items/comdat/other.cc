#include "shared.h"
int *other_local() { return &static_local(); }
int *other_variable() { return &inline_variable; }
int *other_member() {
    static Box<int> keep(1);
    return &Box<int>::count;
}
int *other_once() { return &once<int>(); }
int (*other_inline())(int) { return inline_function; }
int other_template(int n) { return twice<int>(n); }
bool other_same_type(const std::type_info &t) { return t == typeid(Box<int>); }
