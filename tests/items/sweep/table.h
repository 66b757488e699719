struct table;
struct table *table_new(void);
void table_add(struct table *t, const char *key, long value);
long table_get(const struct table *t, const char *key);
int table_size(const struct table *t);
void table_each(const struct table *t, void (*f)(const char *, long, void *), void *arg);
void table_total(const char *key, long value, void *arg);
void table_free(struct table *t);
