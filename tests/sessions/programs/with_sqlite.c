/* A round of work with SQLite: statements on a database of their own, in memory. */
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "turns.h"

static const char *const statements[] = {
    "SELECT length('hello'), length(x'0102'), hex('abc'), abs(-5), upper('abc')",
    "SELECT nullif(1, 1) IS NULL, nullif(1, 2), char(104, 105), unicode('A'), round(2.567, 1)",
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
    " INSERT INTO t SELECT i, printf('%03d', i * 37 % 61) FROM n",
    "SELECT count(*), sum(a), max(b) FROM t WHERE a % 3 = 0",
    "SELECT b FROM t ORDER BY b DESC LIMIT 3",
    "SELECT group_concat(a, '-') FROM t WHERE b LIKE '%7'",
    "UPDATE t SET b = b || 'x' WHERE a < 5",
    "SELECT substr(b, 2, 2), trim('  x '), replace(b, 'x', 'yy') FROM t WHERE a = 3",
    "SELECT weigh(21), greet('you'), (SELECT tally(a) FROM t)",
    "SELEC 1",
    "SELECT * FROM missing",
    "INSERT INTO t VALUES(1, 'twice')",
};

const char *describe(const struct tally *tally) {
    return tally->sum > 1000 ? "many" : "few";
}

static int row(void *out, int count, char **values, char **names) {
    (void)names;
    for (int i = 0; i < count; i++) fprintf(out, "%s%s", i ? ", " : "", values[i] ? values[i] : "NULL");
    fputc('\n', out);
    return 0;
}

void work(FILE *out) {
    sqlite3 *db = NULL;
    if (sqlite3_open(":memory:", &db) || add_functions(db)) abort();
    fprintf(out, "version %s\n", sqlite3_libversion());
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        char *error = NULL;
        if (sqlite3_exec(db, statements[i], row, out, &error)) fprintf(out, "error: %s\n", error);
        sqlite3_free(error);
    }
    sqlite3_close(db);
}

/* A database and a statement that are older than the code that uses them. */
static sqlite3 *kept;
static sqlite3_stmt *counted;

long use_kept(void) {
    if (kept == NULL) {
        sqlite3_open(":memory:", &kept);
        add_functions(kept);
        sqlite3_exec(kept, "CREATE TABLE log(line)", NULL, NULL, NULL);
        sqlite3_prepare_v2(kept, "SELECT count(*) FROM log", -1, &counted, NULL);
    }
    sqlite3_exec(kept, "INSERT INTO log SELECT 'line ' || count(*) FROM log", NULL, NULL, NULL);
    long count = -1;
    if (sqlite3_step(counted) == SQLITE_ROW) count = sqlite3_column_int(counted, 0);
    sqlite3_reset(counted);
    return count;
}

void forget_kept(void) {
    sqlite3_finalize(counted);
    sqlite3_close(kept);
    counted = NULL;
    kept = NULL;
}
