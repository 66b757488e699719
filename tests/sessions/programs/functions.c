/* Functions for SQL: SQLite calls them through pointers that it keeps. */
#include <string.h>

#include "functions.h"

int weight(int value) {
    return value * 2;
}

static const char *unit(void) {
    return "rows";
}

static void weigh(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    sqlite3_result_int(context, weight(sqlite3_value_int(values[0])));
}

static void greet(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    char *text = sqlite3_mprintf("%s %s", GREETING, sqlite3_value_text(values[0]));
    sqlite3_result_text(context, text, -1, sqlite3_free);
}

static void tally_step(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    struct tally *tally = sqlite3_aggregate_context(context, sizeof *tally);
    if (tally == NULL) return;
    tally->rows++;
    tally->sum += sqlite3_value_int(values[0]);
}

static void tally_end(sqlite3_context *context) {
    struct tally *tally = sqlite3_aggregate_context(context, 0);
    if (tally == NULL) return;
    char *text = sqlite3_mprintf("%s %d %s", describe(tally), (int)tally->rows, unit());
    sqlite3_result_text(context, text, -1, sqlite3_free);
}

int add_functions(sqlite3 *db) {
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    return sqlite3_create_function(db, "weigh", 1, flags, NULL, weigh, NULL, NULL)
        || sqlite3_create_function(db, "greet", 1, flags, NULL, greet, NULL, NULL)
        || sqlite3_create_function(db, "tally", 1, flags, NULL, NULL, tally_step, tally_end);
}
