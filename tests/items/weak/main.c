/* Weak definitions, overridden or not, and weak names that nobody defines. */
#include <stdio.h>

__attribute__((weak)) int alone(void) { return 1; }
__attribute__((weak)) int overridden(void) { return 2; }
__attribute__((weak)) int weak_data = 3;
__attribute__((weak)) int weak_alone = 4;
__attribute__((weak)) int both_weak(void) { return 5; }

extern int nobody(int) __attribute__((weak));
extern int nobody_data __attribute__((weak));
extern int somebody(int) __attribute__((weak));
extern int somebody_data __attribute__((weak));
int (*const nobody_pointer)(int) = nobody;
int *const nobody_data_pointer = &nobody_data;
int (*const somebody_pointer)(int) = somebody;
int other(void);
int (*other_overridden(void))(void);
int *other_weak_data(void);

int main(void) {
    printf("%d %d %d %d %d\n", alone(), overridden(), weak_data, weak_alone, other());
    printf("%d %d\n", overridden == other_overridden(), &weak_data == other_weak_data());
    printf("%s %s\n", nobody ? "function" : "null", &nobody_data ? "data" : "null");
    printf("%s %s\n", nobody_pointer ? "function" : "null", nobody_data_pointer ? "data" : "null");
    printf("%d %d\n", nobody ? nobody(1) : -1, &nobody_data ? nobody_data : -2);
    printf("%d %d\n", somebody ? somebody(1) : -1, &somebody_data ? somebody_data : -2);
    printf("%d %d\n", somebody_pointer == somebody, somebody_pointer(3));
    printf("%d\n", both_weak());
    return 0;
}
