#include "table.h"
#include <stdlib.h>
#include <string.h>
struct entry { char *key; long value; struct entry *next; };
struct table { struct entry **buckets; unsigned size, used; };
static unsigned hash(const char *s) {
    unsigned h = 2166136261u;
    while (*s) h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}
struct table *table_new(void) {
    struct table *t = malloc(sizeof *t);
    t->size = 8, t->used = 0;
    t->buckets = calloc(t->size, sizeof *t->buckets);
    return t;
}
static struct entry *find(const struct table *t, const char *key) {
    for (struct entry *e = t->buckets[hash(key) % t->size]; e; e = e->next)
        if (!strcmp(e->key, key)) return e;
    return NULL;
}
static void grow(struct table *t) {
    struct entry **old = t->buckets;
    unsigned count = t->size;
    t->size *= 2;
    t->buckets = calloc(t->size, sizeof *t->buckets);
    for (unsigned i = 0; i < count; i++)
        for (struct entry *e = old[i], *next; e; e = next) {
            struct entry **to = &t->buckets[hash(e->key) % t->size];
            next = e->next, e->next = *to, *to = e;
        }
    free(old);
}
void table_add(struct table *t, const char *key, long value) {
    struct entry *e = find(t, key);
    if (e) { e->value += value; return; }
    if (t->used++ == t->size) grow(t);
    struct entry **to = &t->buckets[hash(key) % t->size];
    e = malloc(sizeof *e);
    e->key = strdup(key), e->value = value, e->next = *to, *to = e;
}
long table_get(const struct table *t, const char *key) {
    struct entry *e = find(t, key);
    return e ? e->value : -1;
}
int table_size(const struct table *t) { return (int)t->used; }
void table_each(const struct table *t, void (*f)(const char *, long, void *), void *arg) {
    for (unsigned i = 0; i < t->size; i++)
        for (struct entry *e = t->buckets[i]; e; e = e->next) f(e->key, e->value, arg);
}
void table_total(const char *key, long value, void *arg) { *(long *)arg += value * (long)strlen(key); }
void table_free(struct table *t) {
    for (unsigned i = 0; i < t->size; i++)
        for (struct entry *e = t->buckets[i], *next; e; e = next) next = e->next, free(e->key), free(e);
    free(t->buckets);
    free(t);
}
