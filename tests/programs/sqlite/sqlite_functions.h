/* What sqlite_functions.c adds to a connection, and what it counts. */
#ifndef SQLITE_FUNCTIONS_H
#define SQLITE_FUNCTIONS_H
#include "sqlite3.h"

/* Calls of our functions; defined in sqlite_functions.c, read by the main file. */
extern int scalar_calls, aggregate_calls, collation_calls, destroyed;

int add_functions(sqlite3 *db);

#endif
