/* SQL functions, an aggregate, a collation and a virtual table in C: SQLite calls us back
 * through pointers it keeps. */
#include "sqlite_functions.h"

#include <ctype.h>
#include <string.h>

int scalar_calls, aggregate_calls, collation_calls, destroyed;

/* fnv(x...): a hash of all arguments as text. */
static void fnv(sqlite3_context *context, int n, sqlite3_value **values) {
  sqlite3_uint64 hash = 0xcbf29ce484222325u;
  int *calls = sqlite3_user_data(context);
  ++*calls;
  for (int i = 0; i < n; i++) {
    const unsigned char *text = sqlite3_value_text(values[i]);
    for (; text && *text; text++) hash = (hash ^ *text) * 0x100000001b3u;
    hash = (hash ^ 0xff) * 0x100000001b3u;
  }
  sqlite3_result_int64(context, (sqlite3_int64)(hash >> 1));
}

static void fail(sqlite3_context *context, int n, sqlite3_value **values) {
  (void)n;
  if (sqlite3_value_int(values[0]) == 7)
    sqlite3_result_error(context, "seven is refused", -1);
  else
    sqlite3_result_value(context, values[0]);
}

struct digest {
  sqlite3_uint64 hash;
  int rows;
};

static void digest_step(sqlite3_context *context, int n, sqlite3_value **values) {
  struct digest *d = sqlite3_aggregate_context(context, sizeof *d);
  (void)n;
  aggregate_calls++;
  if (!d) return;
  d->hash += (sqlite3_uint64)sqlite3_value_int64(values[0]) * 0x9e3779b97f4a7c15u;
  d->rows++;
}

static void digest_inverse(sqlite3_context *context, int n, sqlite3_value **values) {
  struct digest *d = sqlite3_aggregate_context(context, sizeof *d);
  (void)n;
  if (!d) return;
  d->hash -= (sqlite3_uint64)sqlite3_value_int64(values[0]) * 0x9e3779b97f4a7c15u;
  d->rows--;
}

static void digest_value(sqlite3_context *context) {
  struct digest *d = sqlite3_aggregate_context(context, 0);
  char text[64];
  sqlite3_snprintf(sizeof text, text, "%d:%016llx", d ? d->rows : 0, d ? d->hash : 0);
  sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* Compares letters only, from the end: a collation nobody would build in. */
static int from_the_end(void *user, int n1, const void *p1, int n2, const void *p2) {
  const unsigned char *a = p1, *b = p2;
  (void)user;
  collation_calls++;
  while (n1 > 0 && n2 > 0) {
    int c = tolower(a[--n1]) - tolower(b[--n2]);
    if (c) return c;
  }
  return n1 - n2;
}

static void on_destroy(void *user) {
  (void)user;
  destroyed++;
}

/* A table-valued function collatz(start): the steps down to one. */
typedef struct {
  sqlite3_vtab_cursor base;
  sqlite3_int64 start, at, step;
  int done;
} cursor;

static int vt_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
                      char **error) {
  (void)aux, (void)argc, (void)argv, (void)error;
  int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(step, value, start HIDDEN)");
  if (rc != SQLITE_OK) return rc;
  if (!(*out = sqlite3_malloc(sizeof **out))) return SQLITE_NOMEM;
  memset(*out, 0, sizeof **out);
  return SQLITE_OK;
}
static int vt_disconnect(sqlite3_vtab *table) {
  sqlite3_free(table);
  return SQLITE_OK;
}
static int vt_best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
  (void)table;
  for (int i = 0; i < info->nConstraint; i++)
    if (info->aConstraint[i].iColumn == 2 && info->aConstraint[i].usable &&
        info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ) {
      info->aConstraintUsage[i].argvIndex = 1;
      info->aConstraintUsage[i].omit = 1;
      info->estimatedCost = 10;
      return SQLITE_OK;
    }
  return SQLITE_CONSTRAINT;
}
static int vt_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out) {
  cursor *c = sqlite3_malloc(sizeof *c);
  (void)table;
  if (!c) return SQLITE_NOMEM;
  memset(c, 0, sizeof *c);
  *out = &c->base;
  return SQLITE_OK;
}
static int vt_close(sqlite3_vtab_cursor *c) {
  sqlite3_free(c);
  return SQLITE_OK;
}
static int vt_filter(sqlite3_vtab_cursor *base, int n, const char *s, int argc, sqlite3_value **argv) {
  cursor *c = (cursor *)base;
  (void)n, (void)s, (void)argc;
  c->start = c->at = sqlite3_value_int64(argv[0]);
  c->step = 0;
  c->done = c->at < 1;
  return SQLITE_OK;
}
static int vt_next(sqlite3_vtab_cursor *base) {
  cursor *c = (cursor *)base;
  c->done = c->at == 1;
  c->at = c->at % 2 ? 3 * c->at + 1 : c->at / 2;
  c->step++;
  return SQLITE_OK;
}
static int vt_eof(sqlite3_vtab_cursor *base) { return ((cursor *)base)->done; }
static int vt_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  cursor *c = (cursor *)base;
  const sqlite3_int64 values[] = {c->step, c->at, c->start};
  sqlite3_result_int64(context, values[column]);
  return SQLITE_OK;
}
static int vt_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
  *out = ((cursor *)base)->step;
  return SQLITE_OK;
}

static const sqlite3_module collatz = {.xConnect = vt_connect,
                                       .xBestIndex = vt_best_index,
                                       .xDisconnect = vt_disconnect,
                                       .xOpen = vt_open,
                                       .xClose = vt_close,
                                       .xFilter = vt_filter,
                                       .xNext = vt_next,
                                       .xEof = vt_eof,
                                       .xColumn = vt_column,
                                       .xRowid = vt_rowid};

int add_functions(sqlite3 *db) {
  int rc = sqlite3_create_function_v2(db, "fnv", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, &scalar_calls,
                                      fnv, NULL, NULL, on_destroy);
  if (!rc) rc = sqlite3_create_function(db, "fail", 1, SQLITE_UTF8, NULL, fail, NULL, NULL);
  if (!rc)
    rc = sqlite3_create_window_function(db, "digest", 1, SQLITE_UTF8, NULL, digest_step, digest_value,
                                        digest_value, digest_inverse, NULL);
  if (!rc)
    rc = sqlite3_create_collation_v2(db, "from_the_end", SQLITE_UTF8, NULL, from_the_end, on_destroy);
  if (!rc) rc = sqlite3_create_module_v2(db, "collatz", &collatz, NULL, on_destroy);
  return rc;
}
