/* The arguments of a constructor, and an entry put into .init_array by hand. */
#include <stdio.h>
static void by_hand(int argc, char **argv, char **envp) {
    printf("by hand %d %d %d\n", argc, argv[argc] == NULL, envp != NULL);
}
static void by_hand_early(void) { puts("by hand early"); }
__attribute__((section(".init_array"), used)) static void (*entry)(int, char **, char **) = by_hand;
__attribute__((section(".init_array.00120"), used)) static void (*early)(void) = by_hand_early;
static void end_by_hand(void) { puts("end by hand"); }
__attribute__((section(".fini_array"), used)) static void (*end)(void) = end_by_hand;
