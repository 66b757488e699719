/* Strong and weak aliases of functions and data, and an alias overridden elsewhere. */
#include <stdio.h>
extern int alias_function(int), weak_alias_function(int), original(int), replaced_alias(int);
extern int alias_data, original_data, weak_alias_data;
int through_static(int);
int *other_alias_data(void);
int replaced_alias(int n) { return n + 1000; }
int main(void) {
    printf("%d %d %d\n", original(1), alias_function(2), weak_alias_function(3));
    printf("%d\n", replaced_alias(4));
    alias_data = 8;
    printf("%d %d\n", original_data, weak_alias_data);
    printf("%d %d\n", &alias_data == other_alias_data(), through_static(5));
    return 0;
}
