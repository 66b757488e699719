/* The C part: jumps.c, compiled as C. */
#ifndef JUMPS_H
#define JUMPS_H
#ifdef __cplusplus
extern "C" {
#endif
/* Calls step(user, i) for i = 0.. until one asks to stop through c_escape. Returns that value. */
int c_loop_until_escape(int (*step)(void *user, int i), void *user);
void c_escape(int value);
/* Calls back with a fixed and a variable part of arguments. */
double c_sum(const char *types, ...);
/* Calls through, so that an exception passes C frames. */
int c_pass_through(int (*callback)(void *), void *user);
/* Computed goto. */
int c_interpret(const unsigned char *code);
extern int c_common_variable;
extern const char *const c_messages[];
struct c_pair { long first; double second; };
struct c_pair c_swap_pair(struct c_pair pair);
struct c_big { long words[9]; };
struct c_big c_reverse(struct c_big big);
long double c_long_double(long double x, int n);
#ifdef __cplusplus
}
#endif
#endif
