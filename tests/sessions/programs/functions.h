/* Functions for SQL that the program adds. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include "sqlite3.h"

#define GREETING "hello"

struct tally {
    long rows;
    long sum;
};

int add_functions(sqlite3 *db);
const char *describe(const struct tally *tally);
int weight(int value);

#endif
