/* Hidden, internal and protected names are shared by the files of one program. */
#include <stdio.h>
#include "names.h"
static int (*const hidden_pointer)(int) = hidden_function;

int main(void) {
    hidden_data += 1;
    internal_data += 2;
    protected_data += 3;
    printf("%d %d %d\n", hidden_function(1), internal_function(1), protected_function(1));
    printf("%d %d %d\n", read_hidden(), read_internal(), read_protected());
    printf("%d %d\n", hidden_pointer == hidden_address(), hidden_pointer(5));
    printf("%d %d\n", &hidden_data == hidden_where(), &protected_data == protected_where());
    printf("%d\n", protected_function == protected_address());
    return 0;
}
