#ifndef CALLS_H
#define CALLS_H
#include "../rounds.h"

/* depth.c and depth_back.c call each other. */
long down(int depth, long sum);
long back(int depth, long sum);
long frames_alive(void);

/* pointers.c */
typedef int (*operation)(int, int);
struct object {
    const char *name;
    operation apply;
    struct object *next;
};
struct object *make_objects(int count);
int apply_all(const struct object *first, int value);
const char *check_names(const struct object *first);
int by_value(const void *a, const void *b);
int by_value_down(const void *a, const void *b);
int sum_of(int count, ...);
const char *describe(int kind);

/* machine.c */
long interpret(const unsigned char *program, long input);
int classify(int value);

/* jumps.c */
int jump_loop(int rounds);
void leave_now(int value);
#endif
