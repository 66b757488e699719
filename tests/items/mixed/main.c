/* One program of a C file, bitcode, textual IR and an object. */
#include <stdio.h>
int from_one(int n), from_two(int n), from_three(int n);
int mixed_data = 3;
int main(void) {
    printf("%d\n", from_one(1));
    printf("%d\n", from_two(2));
    printf("%d\n", from_three(3));
    return mixed_data;
}
