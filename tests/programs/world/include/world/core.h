/* The foundation, in C. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

void rng_seed(uint32_t seed);
uint32_t rng_next(void);
uint32_t rng_below(uint32_t limit);

struct grid {
    int width, height;
    unsigned char *cells;
};
struct grid *grid_new(int width, int height);
void grid_free(struct grid *grid);
void grid_fill(struct grid *grid, unsigned char value);
unsigned char grid_at(const struct grid *grid, int x, int y);
void grid_put(struct grid *grid, int x, int y, unsigned char value);
unsigned grid_hash(const struct grid *grid);

long clock_ticks(void);
void clock_tick(void);

void log_line(const char *format, ...);
int log_count(void);

struct list {
    struct list *next;
    int value;
};
struct list *list_push(struct list *head, int value);
struct list *list_reverse(struct list *head);
int list_sum(const struct list *head);
void list_free(struct list *head);

void *arena_take(size_t size);
void arena_reset(void);
size_t arena_used(void);

size_t text_repeat(char *to, size_t room, char c, int count);
int text_width(const char *text);

void stats_add(double value);
double stats_mean(void);
double stats_spread(void);

#ifdef __cplusplus
extern thread_local int thread_steps;
#else
extern _Thread_local int thread_steps;
#endif
int thread_step(void);

/* Nobody calls it: its object stays in the library. */
int unused_entry(void);
#ifdef __cplusplus
}
#endif
