/* Tentative definitions in several files are one object: the largest size, the strictest
 * alignment, and a real definition wins. */
#include <stdint.h>
#include <stdio.h>
int plain;
char small_here[4];
int defined_there;
_Alignas(128) int aligned_here;
int *other_plain(void);
char *other_small(void);
int *other_defined(void);
int *other_aligned(void);
int small_last(void);
int main(void) {
    plain = 5;
    printf("%d %d\n", *other_plain(), &plain == other_plain());
    other_small()[99] = 'x';
    small_here[0] = 'y';
    printf("%c%d %d\n", other_small()[0], small_last(), small_here == other_small());
    printf("%d %d\n", defined_there, &defined_there == other_defined());
    printf("%d %d\n", ((uintptr_t)&aligned_here & 127) == 0, &aligned_here == other_aligned());
    return 0;
}
