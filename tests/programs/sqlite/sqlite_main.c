/* Some thousands of statements through SQLite's C API, on a database in memory and one in a
 * file. `sqlite_main FILE ROWS`. Prints rows and digests; nothing depends on time or chance. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite_functions.h"

static int failures, statements;

/* Rows of a query as text, one line each. */
static int print_row(void *indent, int n, char **values, char **names) {
  (void)names;
  fputs(indent, stdout);
  for (int i = 0; i < n; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  putchar('\n');
  return 0;
}

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  statements++;
  if (sqlite3_exec(db, sql, print_row, "  ", &message) != SQLITE_OK) {
    printf("  error %d: %s\n", sqlite3_extended_errcode(db), message);
    sqlite3_free(message);
  }
}

static void show(sqlite3 *db, const char *sql) {
  printf("%s\n", sql);
  run(db, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
    printf("prepare: %s\n", sqlite3_errmsg(db));
    failures++;
  }
  return statement;
}

static int step(sqlite3_stmt *statement) {
  int rc = sqlite3_step(statement);
  statements++;
  sqlite3_reset(statement);
  return rc;
}

static unsigned seed = 1;
static unsigned next(void) { return seed = seed * 1103515245u + 12345u, seed >> 8; }

static void fill(sqlite3 *db, int rows) {
  static const char *const cities[] = {"Oslo", "Lima", "Accra", "Kyoto", "Turin", "Quito", "Perth"};
  run(db, "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, born INT, score REAL,"
          " CHECK(born > 1900));"
          "CREATE TABLE visit(id INTEGER PRIMARY KEY, person INT REFERENCES person(id) ON DELETE CASCADE,"
          " day INT, note TEXT, blob_data BLOB);"
          "CREATE INDEX visit_person ON visit(person, day);"
          "CREATE INDEX person_city ON person(city COLLATE NOCASE, born DESC) WHERE born > 1950;"
          "CREATE TABLE log(what TEXT, n INT);"
          "CREATE TRIGGER gone AFTER DELETE ON person BEGIN"
          " INSERT INTO log VALUES('deleted ' || old.name, old.id); END;"
          "CREATE VIEW summary AS SELECT city, count(*) AS n, avg(score) AS mean FROM person GROUP BY city;");
  sqlite3_stmt *person = prepare(db, "INSERT INTO person VALUES(?1, ?2, ?3, ?4, ?5)");
  sqlite3_stmt *visit = prepare(db, "INSERT INTO visit(person, day, note, blob_data) VALUES(?, ?, ?, ?)");
  for (int i = 1; i <= rows; i++) {
    char name[32];
    unsigned char blob[24];
    if (i % 500 == 1) run(db, "BEGIN");
    snprintf(name, sizeof name, "person-%u-%d", next() % 100, i);
    sqlite3_bind_int(person, 1, i);
    sqlite3_bind_text(person, 2, name, -1, SQLITE_TRANSIENT);
    if (i % 13) sqlite3_bind_text(person, 3, cities[next() % 7], -1, SQLITE_STATIC);
    else sqlite3_bind_null(person, 3);
    sqlite3_bind_int(person, 4, 1920 + (int)(next() % 90));
    sqlite3_bind_double(person, 5, (double)(next() % 10000) / 64);
    failures += step(person) != SQLITE_DONE;
    for (unsigned v = next() % 4; v > 0; v--) {
      for (size_t b = 0; b < sizeof blob; b++) blob[b] = (unsigned char)next();
      sqlite3_bind_int(visit, 1, i);
      sqlite3_bind_int(visit, 2, (int)(next() % 365));
      sqlite3_bind_text(visit, 3, v % 2 ? "a short note" : "another, longer note about it", -1, SQLITE_STATIC);
      sqlite3_bind_blob(visit, 4, blob, (int)(1 + next() % sizeof blob), SQLITE_TRANSIENT);
      failures += step(visit) != SQLITE_DONE;
    }
    if (i % 500 == 0 || i == rows) run(db, "COMMIT");
  }
  sqlite3_finalize(person);
  sqlite3_finalize(visit);
}

static void query(sqlite3 *db) {
  show(db, "SELECT count(*), sum(born), round(avg(score), 6), digest(fnv(id, name, city, born, score)) FROM person");
  show(db, "SELECT count(*), digest(fnv(person, day, note, hex(blob_data))) FROM visit");
  show(db, "SELECT city, n, round(mean, 4) FROM summary ORDER BY city");
  show(db, "SELECT p.name, count(v.id) AS c, group_concat(v.day, '/') FROM person p JOIN visit v ON v.person = p.id"
           " WHERE p.city = 'Oslo' GROUP BY p.id HAVING c = 3 ORDER BY p.id LIMIT 3");
  show(db, "SELECT digest(a.id * b.id) FROM person a, person b WHERE a.born = b.born AND a.id < b.id AND a.city = b.city");
  show(db, "SELECT p.id, p.name FROM person p LEFT JOIN visit v ON v.person = p.id WHERE v.id IS NULL ORDER BY p.score LIMIT 3");
  show(db, "EXPLAIN QUERY PLAN SELECT * FROM person WHERE city = 'lima' COLLATE NOCASE AND born > 1960");
  show(db, "SELECT name FROM person ORDER BY name COLLATE from_the_end LIMIT 3");
  show(db, "WITH RECURSIVE t(n, f) AS (SELECT 1, 1 UNION ALL SELECT n + 1, f * (n + 1) FROM t WHERE n < 15) SELECT max(f), sum(f) FROM t");
  show(db, "SELECT born, id, rank() OVER w, sum(id) OVER w, lag(id, 1, -1) OVER w, digest(id) OVER (ORDER BY id ROWS 3 PRECEDING)"
           " FROM person WHERE id < 8 WINDOW w AS (PARTITION BY born % 2 ORDER BY born, id) ORDER BY id");
  show(db, "SELECT start, count(*), max(value) FROM collatz(27)");
  show(db, "SELECT p.id, (SELECT count(*) FROM collatz(p.id)) FROM person p WHERE p.id < 6");
  show(db, "SELECT json_extract('{\"a\":[1,2,{\"b\":3.5}]}', '$.a[2].b'), json_group_array(id) FROM person WHERE id < 6");
  show(db, "SELECT key, value, type FROM json_each('{\"x\":1,\"y\":[true,null],\"z\":\"\\u00e4\"}')");
  show(db, "SELECT json_patch('{\"a\":1,\"b\":2}', '{\"b\":null,\"c\":[3]}'), json_valid('{oops'), jsonb_extract(jsonb('[1,[2]]'), '$[1]') IS NOT NULL");
  show(db, "SELECT printf('%08.3f|%-6s|%+d|%x|%q', 3.14159, 'ab', 5, 255, 'it''s'), upper('abc'), hex(x'00ff'), typeof(1.0), substr('hello', -3), instr('abc', 'c')");
  show(db, "SELECT round(sin(1), 10), round(ln(10), 10), pow(2, 0.5), 7 / 2, 7 % -3, 7.0 / 2, 1 << 40, ~5, 9223372036854775807 + 1, CAST('12abc' AS INT)");
  show(db, "SELECT date('2024-02-29', '+1 year'), julianday('2000-01-01'), strftime('%Y %j %H:%M', 1e9, 'unixepoch'), 'abc' LIKE 'A_C', 'abc' GLOB 'a*'");
  show(db, "SELECT likely(1) UNION SELECT NULL UNION SELECT 'x' EXCEPT SELECT 1");
  show(db, "SELECT soundex FROM nowhere");
  show(db, "SELECT fail(id) FROM person WHERE id BETWEEN 5 AND 9");
  show(db, "SELEC 1");
}

static void change(sqlite3 *db) {
  show(db, "INSERT INTO person VALUES(1, 'twice', NULL, 2000, 1)");
  show(db, "INSERT INTO person VALUES(NULL, 'too old', NULL, 1800, 1)");
  show(db, "INSERT INTO visit(person, day) VALUES(999999, 1)");
  show(db, "INSERT INTO person VALUES(1, 'upserted', 'Oslo', 2001, 2.5) ON CONFLICT(id) DO UPDATE SET name = excluded.name RETURNING id, name, born");
  run(db, "BEGIN; UPDATE person SET score = score * 2, city = upper(city) WHERE id % 3 = 0; SAVEPOINT one");
  run(db, "DELETE FROM person WHERE id % 5 = 0; SAVEPOINT two; DELETE FROM person");
  show(db, "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM visit), (SELECT count(*) FROM log)");
  run(db, "ROLLBACK TO two; RELEASE two");
  show(db, "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM visit), (SELECT digest(n) FROM log)");
  run(db, "ROLLBACK TO one");
  show(db, "SELECT count(*), (SELECT count(*) FROM log), digest(fnv(id, city, score)) FROM person");
  run(db, "ROLLBACK");
  show(db, "SELECT count(*), digest(fnv(id, city, score)) FROM person");
  run(db, "ALTER TABLE person ADD COLUMN extra TEXT DEFAULT 'none'; ALTER TABLE person RENAME COLUMN born TO year;"
          "DELETE FROM person WHERE year < 1930; DROP INDEX visit_person; REINDEX; ANALYZE; VACUUM");
  show(db, "SELECT count(*), min(extra), (SELECT count(*) FROM log), digest(fnv(id, name, city, year, score)) FROM person");
  show(db, "PRAGMA integrity_check");
  show(db, "PRAGMA foreign_key_check");
}

static void search(sqlite3 *db) {
  static const char *const subjects[] = {"the linker", "a module", "every slot", "the table", "one stub", "a symbol"};
  static const char *const verbs[] = {"loads", "replaces", "finds", "keeps", "never forgets", "calls"};
  run(db, "CREATE VIRTUAL TABLE doc USING fts5(title, body, tokenize = 'porter unicode61');"
          "CREATE VIRTUAL TABLE box USING rtree(id, x1, x2, y1, y2)");
  sqlite3_stmt *insert = prepare(db, "INSERT INTO doc VALUES(?, ?)");
  sqlite3_stmt *box = prepare(db, "INSERT INTO box VALUES(?, ?, ?, ?, ?)");
  run(db, "BEGIN");
  for (int i = 0; i < 600; i++) {
    char title[32], body[256];
    int n = 0;
    snprintf(title, sizeof title, "Document %d", i);
    for (int k = 0; k < 4; k++) {
      /* One by one: compilers differ in the order of arguments. */
      const char *subject = subjects[next() % 6], *verb = verbs[next() % 6], *object = subjects[next() % 6];
      n += snprintf(body + n, sizeof body - (size_t)n, "%s %s %s. ", subject, verb, object);
    }
    sqlite3_bind_text(insert, 1, title, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(insert, 2, body, -1, SQLITE_TRANSIENT);
    failures += step(insert) != SQLITE_DONE;
    double x = next() % 1000, y = next() % 1000;
    sqlite3_bind_int(box, 1, i + 1);
    sqlite3_bind_double(box, 2, x);
    sqlite3_bind_double(box, 3, x + next() % 50);
    sqlite3_bind_double(box, 4, y);
    sqlite3_bind_double(box, 5, y + next() % 50);
    failures += step(box) != SQLITE_DONE;
  }
  run(db, "COMMIT");
  sqlite3_finalize(insert);
  sqlite3_finalize(box);
  show(db, "SELECT count(*), sum(rowid) FROM doc WHERE doc MATCH 'forget AND linker NOT symbol'");
  show(db, "SELECT title, round(bm25(doc), 6), snippet(doc, 1, '<', '>', '..', 6) FROM doc WHERE doc MATCH '\"every slot calls\" OR NEAR(table stub, 2)' ORDER BY rank, rowid LIMIT 4");
  show(db, "SELECT highlight(doc, 1, '[', ']') FROM doc WHERE doc MATCH 'body : replac*' ORDER BY rowid LIMIT 2");
  show(db, "SELECT count(*), sum(id) FROM box WHERE x1 > 200 AND x2 < 600 AND y1 > 100 AND y2 < 500");
  show(db, "INSERT INTO doc(doc) VALUES('integrity-check')");
}

static int hooks;
static int on_commit(void *user) { return ++*(int *)user, 0; }
static void on_update(void *user, int op, const char *db, const char *table, sqlite3_int64 row) {
  (void)db, (void)row;
  *(int *)user += op == SQLITE_DELETE ? 100 : table[0] == 'p';
}
static int authorize(void *user, int action, const char *a, const char *b, const char *c, const char *d) {
  (void)user, (void)b, (void)c, (void)d;
  return action == SQLITE_DROP_TABLE && a && !strcmp(a, "person") ? SQLITE_DENY : SQLITE_OK;
}
static int progress(void *user) { return --*(int *)user < 0; }

static void callbacks(sqlite3 *db) {
  int commits = 0, budget = 50;
  sqlite3_commit_hook(db, on_commit, &commits);
  sqlite3_update_hook(db, on_update, &hooks);
  sqlite3_set_authorizer(db, authorize, NULL);
  run(db, "UPDATE person SET score = 0 WHERE id < 50; DELETE FROM visit WHERE person < 10 AND day > 300; INSERT INTO log VALUES('x', 1)");
  show(db, "DROP TABLE person");
  sqlite3_set_authorizer(db, NULL, NULL);
  sqlite3_progress_handler(db, 1000, progress, &budget);
  show(db, "SELECT count(*) FROM person a, person b, person c");
  sqlite3_progress_handler(db, 0, NULL, NULL);
  sqlite3_commit_hook(db, NULL, NULL);
  sqlite3_update_hook(db, NULL, NULL);
  printf("commits %d, hook sum %d\n", commits, hooks);
}

static void blobs(sqlite3 *db) {
  sqlite3_blob *blob;
  char part[8] = {0};
  run(db, "CREATE TABLE big(b BLOB); INSERT INTO big VALUES(zeroblob(100000))");
  failures += sqlite3_blob_open(db, "main", "big", "b", 1, 1, &blob) != SQLITE_OK;
  for (int at = 0; at < 100000; at += 10000) sqlite3_blob_write(blob, "written!", 8, at + at / 10000);
  sqlite3_blob_read(blob, part, 7, 30003);
  printf("blob of %d bytes, read \"%s\", past the end: %d\n", sqlite3_blob_bytes(blob), part,
         sqlite3_blob_write(blob, "x", 1, 100000));
  sqlite3_blob_close(blob);
  show(db, "SELECT length(b), fnv(hex(b)) FROM big");
}

static void copy(sqlite3 *from, const char *path) {
  sqlite3 *to;
  char sql[300];
  failures += sqlite3_open(path, &to) != SQLITE_OK;
  sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
  int steps = 0;
  while (sqlite3_backup_step(backup, 20) == SQLITE_OK) steps++;
  sqlite3_backup_finish(backup);
  add_functions(to);
  printf("backup in several steps: %d\n", steps > 3);
  show(to, "SELECT count(*), digest(fnv(id, name, city)) FROM person");
  sqlite3_close(to);
  snprintf(sql, sizeof sql, "ATTACH '%s' AS other", path);
  run(from, sql);
  show(from, "SELECT count(*) FROM main.person m JOIN other.person o USING(id, name)");
  run(from, "DETACH other");
}

static void on_log(void *user, int code, const char *message) {
  (void)message;
  fprintf(stderr, "log %d: code %d\n", ++*(int *)user, code);
}

static void session(const char *path, int rows, const char *journal) {
  sqlite3 *db;
  char sql[64];
  printf("== %s, journal %s\n", path, journal);
  if (sqlite3_open(path, &db) != SQLITE_OK || add_functions(db) != SQLITE_OK) {
    printf("open: %s\n", sqlite3_errmsg(db));
    failures++;
    return;
  }
  snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s; PRAGMA synchronous = OFF", journal);
  run(db, sql);
  fill(db, rows);
  query(db);
  change(db);
  search(db);
  callbacks(db);
  blobs(db);
  copy(db, "copy.db");
  remove("copy.db");
  failures += sqlite3_close(db) != SQLITE_OK;
}

int main(int argc, char **argv) {
  int logged = 0;
  const char *path = argc > 1 ? argv[1] : "test.db";
  int rows = argc > 2 ? atoi(argv[2]) : 1000;
  sqlite3_config(SQLITE_CONFIG_LOG, on_log, &logged);
  printf("SQLite %s, FTS5 %d\n", sqlite3_libversion(), sqlite3_compileoption_used("ENABLE_FTS5"));
  session(":memory:", rows, "MEMORY");
  session(path, rows / 2, "WAL");
  failures += remove(path) != 0;
  printf("%d statements; calls: scalar %d, aggregate %d, collation %d; destroyed %d; memory in use %lld\n", statements,
         scalar_calls, aggregate_calls, collation_calls, destroyed, sqlite3_memory_used());
  sqlite3_shutdown();
  if (failures) printf("%d failures\n", failures);
  return failures != 0;
}
