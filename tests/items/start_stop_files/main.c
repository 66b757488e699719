/* A set that several files add to is one set. */
#include <stdio.h>
extern const char *const __start_plugins[], *const __stop_plugins[];
static const char *const own __attribute__((section("plugins"), used)) = "main";
int main(void) {
    for (const char *const *p = __start_plugins; p < __stop_plugins; p++) puts(*p);
    return 0;
}
