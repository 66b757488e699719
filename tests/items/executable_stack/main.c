/* A function inside of another one, and its address: gcc writes code that leads there to the stack. */
#include <stdlib.h>

static int numbers[] = {3, 1, 2};

int main(void) {
    volatile int compared = 0;
    int compare(const void *a, const void *b) {
        compared++;
        return *(const int *)a - *(const int *)b;
    }
    qsort(numbers, 3, sizeof *numbers, compare);
    return compared > 0 && numbers[0] == 1 ? 0 : 1;
}
