// Inline functions, inline variables, templates and their static locals are one each.
#include <cstdio>
#include "shared.h"

int *other_local();
int *other_variable();
int *other_member();
int *other_once();
int (*other_inline())(int);
int other_template(int);
const char *other_literal();
bool other_same_type(const std::type_info &);

int main() {
    std::printf("%d %d\n", &static_local() == other_local(), ++static_local());
    std::printf("%d %d\n", &inline_variable == other_variable(), inline_variable.size());
    std::printf("%d %d\n", &Box<int>::count == other_member(), Box<int>::count);
    std::printf("%d %d\n", inline_function == other_inline(), inline_function(3));
    std::printf("%d %d\n", twice<int>(4), other_template(5));
    std::printf("%d\n", *other_local());
    std::printf("%d %d\n", &once<int>() == other_once(), once<int>());
    std::printf("%d\n", other_same_type(typeid(Box<int>)));
    Box<long> b(8), c(9);
    std::printf("%d %ld\n", Box<long>::count, b.value + c.value);
    return 0;
}
