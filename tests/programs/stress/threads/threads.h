#ifndef THREADS_H
#define THREADS_H
#include <pthread.h>

#include "../rounds.h"

/* worker.c */
void *work(void *number);
void *sleep_in_a_call(void *number);
void *wait_to_be_cancelled(void *number);
extern pthread_key_t key;
void free_value(void *value);
long values_freed(void);

/* local.c */
long bump(long by);
extern __thread long bumped_directly;
long *address_of_bumped(void);

/* blocked.c */
int poll_once(int fd, int ms);
int sleep_once(int us);
int read_once(int fd);
void *condition_loop(void *unused);
int condition_round(void);
#endif
