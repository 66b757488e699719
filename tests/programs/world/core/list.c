#include <stdlib.h>
#include "world/core.h"

struct list *list_push(struct list *head, int value) {
    struct list *item = malloc(sizeof *item);
    if (!item) abort();
    item->next = head;
    item->value = value;
    return item;
}

struct list *list_reverse(struct list *head) {
    struct list *done = NULL;
    while (head) {
        struct list *next = head->next;
        head->next = done;
        done = head;
        head = next;
    }
    return done;
}

int list_sum(const struct list *head) {
    int sum = 0;
    for (; head; head = head->next) sum = sum * 31 + head->value;
    return sum;
}

void list_free(struct list *head) {
    while (head) {
        struct list *next = head->next;
        free(head);
        head = next;
    }
}
