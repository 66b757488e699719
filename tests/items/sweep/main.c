/* A mid-size file for every level of optimisation: a hash table, a sort, a parser, a matrix. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "table.h"

static const char *const words[] = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"};

static double matrix(int n) {
    double a[8][8], b[8][8], total = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) a[i][j] = i * 1.5 + j, b[i][j] = i == j ? 2.0 : 1.0 / (1 + i + j);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double cell = 0;
            for (int k = 0; k < n; k++) cell += a[i][k] * b[k][j];
            total += cell * ((i + j) % 3);
        }
    return total;
}

struct parser { const char *at; int errors; };
static long sum(struct parser *p);
static long factor(struct parser *p) {
    while (*p->at == ' ') p->at++;
    if (*p->at == '-') return p->at++, -factor(p);
    if (*p->at == '(') {
        p->at++;
        long value = sum(p);
        if (*p->at == ')') p->at++;
        else p->errors++;
        return value;
    }
    if (!isdigit((unsigned char)*p->at)) return p->errors++, 0;
    char *end;
    long value = strtol(p->at, &end, 10);
    p->at = end;
    return value;
}
static long product(struct parser *p) {
    long value = factor(p);
    for (;;) {
        while (*p->at == ' ') p->at++;
        switch (*p->at) {
        case '*': p->at++; value *= factor(p); break;
        case '/': { p->at++; long by = factor(p); if (by) value /= by; else p->errors++; break; }
        case '%': { p->at++; long by = factor(p); if (by) value %= by; else p->errors++; break; }
        default: return value;
        }
    }
}
static long sum(struct parser *p) {
    long value = product(p);
    for (;;) {
        while (*p->at == ' ') p->at++;
        if (*p->at == '+') p->at++, value += product(p);
        else if (*p->at == '-') p->at++, value -= product(p);
        else return value;
    }
}

static int by_length(const void *a, const void *b) {
    const char *l = *(const char *const *)a, *r = *(const char *const *)b;
    int d = (int)strlen(l) - (int)strlen(r);
    return d ? d : strcmp(l, r);
}

static unsigned checksum(const unsigned char *data, size_t n) {
    unsigned crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

int main(void) {
    struct table *t = table_new();
    for (int i = 0; i < 2000; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s-%d", words[i % 10], i * 7919 % 523);
        table_add(t, key, i);
    }
    printf("%d %ld %ld\n", table_size(t), table_get(t, "one-0"), table_get(t, "none"));
    long total = 0;
    table_each(t, table_total, &total);
    printf("%ld\n", total);
    table_free(t);
    const char *sorted[10];
    memcpy(sorted, words, sizeof sorted);
    qsort(sorted, 10, sizeof *sorted, by_length);
    for (int i = 0; i < 10; i++) printf("%s ", sorted[i]);
    printf("\n%.6f\n", matrix(8));
    static const char *const expressions[] = {"1 + 2 * 3", "-(4 - 10) * 7 % 5", "2 * (3 + ", "8 / 0", "100/7/2"};
    for (int i = 0; i < 5; i++) {
        struct parser p = {expressions[i], 0};
        long value = sum(&p);
        printf("%s = %ld (%d)\n", expressions[i], value, p.errors);
    }
    unsigned char bytes[1000];
    for (int i = 0; i < 1000; i++) bytes[i] = (unsigned char)(i * i >> 3);
    printf("%08x\n", checksum(bytes, sizeof bytes));
    return 0;
}
