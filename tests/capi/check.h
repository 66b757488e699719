/* What the hosts of these tests share. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotslot.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* A call that must succeed; its error goes to `error`. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != HOTSLOT_CODE_OK) {                                                           \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call,                          \
                    hotslot_error_text(error));                                                    \
            exit(1);                                                                               \
        }                                                                                          \
        CHECK(error == NULL);                                                                      \
    } while (0)

/* A call that must fail with this code; the error stays in `error`. */
#define FAILS(code, call)                                                                          \
    do {                                                                                           \
        hotslot_code code_ = (call);                                                               \
        if (code_ != (code) || hotslot_error_code(error) != (code)) {                              \
            fprintf(stderr, "%s:%d: %s: code %d: %s\n", __FILE__, __LINE__, #call, (int)code_,     \
                    hotslot_error_text(error));                                                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define SAYS(text, part)                                                                           \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        if (!text_ || !strstr(text_, part)) {                                                      \
            fprintf(stderr, "%s:%d: no \"%s\" in: %s\n", __FILE__, __LINE__, part,                 \
                    text_ ? text_ : "(null)");                                                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static inline hotslot_runtime *new_runtime(void) {
    hotslot_options options;
    hotslot_error *error;
    hotslot_runtime *runtime;
    hotslot_init(&options, sizeof options);
    options.arena_size = (size_t)64 << 20;
    options.opt_level = HOTSLOT_OPT_O1;
    OK(hotslot_runtime_new(&options, &runtime, &error));
    return runtime;
}

/* Textual IR, compiled in this process. */
static inline hotslot_source ir(const char *text) {
    hotslot_source source;
    hotslot_init(&source, sizeof source);
    source.kind = HOTSLOT_SOURCE_IR;
    source.trusted = 1;
    source.bytes = text;
    source.length = strlen(text);
    return source;
}

static inline hotslot_code load(hotslot_runtime *runtime, const char *module, const char *text,
                                hotslot_error **error) {
    hotslot_source source = ir(text);
    return hotslot_load(runtime, module, &source, NULL, error);
}

static inline hotslot_code replace(hotslot_runtime *runtime, const char *module, const char *text,
                                   hotslot_error **error) {
    hotslot_source source = ir(text);
    return hotslot_replace(runtime, module, &source, NULL, error);
}

typedef int (*int_function)(void);

static inline int call_int(hotslot_runtime *runtime, const char *name) {
    hotslot_error *error;
    int_function function = (int_function)hotslot_function(runtime, name, "i32 ()", &error);
    if (!function) {
        fprintf(stderr, "%s: %s\n", name, hotslot_error_text(error));
        exit(1);
    }
    return function();
}

struct test {
    const char *name;
    void (*run)(void);
};

static inline int run_test(const struct test *tests, size_t count, const char *name) {
    size_t i;
    for (i = 0; i < count; i++)
        if (strcmp(tests[i].name, name) == 0) {
            tests[i].run();
            puts("well");
            return 0;
        }
    fprintf(stderr, "no test %s\n", name);
    return 2;
}

#endif
