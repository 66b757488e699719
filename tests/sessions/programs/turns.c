/*
 * The loop of a program that is edited while it runs: a line in, an answer out, which ends with a
 * line that is a dot. Threads, as many as the argument says, do the same work all the time.
 *
 *   do      what the work gives, after the number of the turn and of the uses of what is kept;
 *           and whether each thread got the same in a round that it began after that
 *   rest    the threads stop between two rounds, what is kept is ended
 *   wake    the threads go on
 *   quit    the end
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "turns.h"

#define MOST 8

struct worker {
    pthread_t thread;
    unsigned long begun;
    unsigned long done;
    char *text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct worker workers[MOST];
static int worker_count;
static int resting;
static int idle;
static int ending;

/* The state that an edit must not lose. */
static long turns;

static char *worked(void) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    work(out);
    fclose(out);
    return text;
}

/* One round of a thread; 0 at the end. Whoever runs all the time, as the loop that calls it, goes on
   with what the optimiser has copied into it: so this and `turn` are no static functions. */
int round_of(struct worker *self);
int round_of(struct worker *self) {
    pthread_mutex_lock(&lock);
    while (resting && !ending) {
        idle++;
        pthread_cond_broadcast(&changed);
        while (resting && !ending) pthread_cond_wait(&changed, &lock);
        idle--;
    }
    if (ending) {
        pthread_mutex_unlock(&lock);
        return 0;
    }
    self->begun++;
    pthread_mutex_unlock(&lock);
    char *text = worked();
    pthread_mutex_lock(&lock);
    free(self->text);
    self->text = text;
    self->done = self->begun;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return 1;
}

static void *worker_main(void *argument) {
    /* The compilers go first. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
    while (round_of(argument)) {
    }
    return NULL;
}

/* Whether every thread gets this text in a round that it has not begun yet. */
static int threads_agree(const char *text) {
    int agree = 1;
    pthread_mutex_lock(&lock);
    unsigned long from[MOST];
    for (int i = 0; i < worker_count; i++) from[i] = workers[i].begun + 1;
    for (int i = 0; i < worker_count && !resting; i++) {
        while (workers[i].done < from[i]) pthread_cond_wait(&changed, &lock);
        if (strcmp(workers[i].text, text) != 0) {
            printf("thread %d: %s", i, workers[i].text);
            agree = 0;
        }
    }
    pthread_mutex_unlock(&lock);
    return agree;
}

static void do_turn(void) {
    printf("turn %ld\n", ++turns);
    printf("kept %ld\n", use_kept());
    char *text = worked();
    fputs(text, stdout);
    printf("threads %s\n", threads_agree(text) ? "agree" : "differ");
    free(text);
}

static void set_resting(int value) {
    pthread_mutex_lock(&lock);
    resting = value;
    pthread_cond_broadcast(&changed);
    while (value && idle < worker_count) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* 0 at the end. */
int turn(const char *line);
int turn(const char *line) {
    if (strcmp(line, "do") == 0) {
        do_turn();
    } else if (strcmp(line, "rest") == 0) {
        set_resting(1);
        forget_kept();
    } else if (strcmp(line, "wake") == 0) {
        set_resting(0);
    } else if (strcmp(line, "quit") == 0) {
        return 0;
    } else {
        printf("unknown: %s\n", line);
    }
    return 1;
}

static void end_threads(void) {
    pthread_mutex_lock(&lock);
    ending = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < worker_count; i++) {
        pthread_join(workers[i].thread, NULL);
        free(workers[i].text);
    }
}

int main(int argc, char **argv) {
    int wanted = argc > 1 ? atoi(argv[1]) : 0;
    while (worker_count < wanted && worker_count < MOST) {
        struct worker *one = &workers[worker_count];
        if (pthread_create(&one->thread, NULL, worker_main, one) != 0) return 1;
        worker_count++;
    }
    char line[256];
    int go_on = 1;
    while (go_on && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        go_on = turn(line);
        puts(".");
        fflush(stdout);
    }
    end_threads();
    forget_kept();
    return 0;
}
