/* A host in C: a shop whose prices are computed by code that changes while the shop is open.
 *
 * `make` builds it twice, with the shared library and with the static one, and `make run` runs it.
 * It compiles the code with clang-19 ($CLANG names another), so that has to be installed.
 *
 * To be read from the end, `main`, upwards. What every function does is in include/hotslot.h. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hotslot.h"

static hotslot_runtime *runtime;
static hotslot_interrupt *stop;
static char folder[] = "/tmp/hotslot-shop-XXXXXX";

/* What follows is for the code that is loaded. This is found by itself, because the program exports
 * it: it is linked with -rdynamic. */
int64_t shop_rebate(int64_t percent);
int64_t shop_rebate(int64_t percent) { return percent > 50 ? 50 : percent; }

/* This is not exported, so it is defined by name. */
static void say(const char *text) { printf("   the code says: %s\n", text); }

/* What the shop is, as clang sees it. */
static const char *const STOCK =
    "#include <stdint.h>\n"
    "int64_t sold;\n"
    "int64_t price(int64_t count);\n"
    "int64_t sell(int64_t count) { sold += count; return price(count); }\n";
static const char *const PRICE =
    "#include <stdint.h>\n"
    "void say(const char *text);\n"
    "int64_t price(int64_t count) { say(\"full price\"); return 100 * count; }\n";
static const char *const PRICE_WITH_REBATE =
    "#include <stdint.h>\n"
    "void say(const char *text);\n"
    "int64_t shop_rebate(int64_t percent);\n"
    "int64_t price(int64_t count) {\n"
    "    say(\"with a rebate\");\n"
    "    return (100 - shop_rebate(80)) * count;\n"
    "}\n";
static const char *const PRICE_WITH_A_BUG =
    "#include <stdint.h>\n"
    "static const int64_t *list;\n"
    "int64_t price(int64_t count) {\n"
    "    return list[3] * count;\n"
    "}\n";
static const char *const PRICE_FOR_EVER =
    "#include <stdint.h>\n"
    "volatile int64_t tries;\n"
    "int64_t price(int64_t count) { while (tries >= 0) tries++; return count; }\n";

/* A table of taxes comes as textual IR, from memory. */
static const char *const TAX = "define i64 @with_tax(i64 %price) {\n"
                               "  %tax = udiv i64 %price, 5\n"
                               "  %sum = add i64 %price, %tax\n"
                               "  ret i64 %sum\n"
                               "}\n";

/* Prints what failed, and ends the program. */
static void fail(hotslot_error *error) {
    fprintf(stderr, "the shop closes (code %d): %s\n", (int)hotslot_error_code(error),
            hotslot_error_text(error));
    hotslot_error_free(error);
    exit(1);
}

/* Runs the compiler; stores the path of what it makes. */
static void compile(const char *name, const char *text, const char *flags, const char *suffix,
                    char path[256]) {
    char source[256], command[1024];
    const char *clang = getenv("CLANG");
    FILE *file;
    snprintf(source, sizeof source, "%s/%s.c", folder, name);
    snprintf(path, 256, "%s/%s%s", folder, name, suffix);
    file = fopen(source, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(source);
        exit(1);
    }
    snprintf(command, sizeof command, "%s -g -O1 -fPIC %s -c %s -o %s", clang ? clang : "clang-19",
             flags, source, path);
    if (system(command) != 0) {
        fprintf(stderr, "this failed: %s\n", command);
        exit(1);
    }
}

/* Loads or replaces a module from C, as bitcode, which hotslot compiles function by function. */
static void put(const char *name, const char *text, int is_new) {
    hotslot_source source;
    hotslot_error *error;
    char path[256], *report;
    compile(name, text, "-emit-llvm", ".bc", path);
    hotslot_init(&source, sizeof source);
    source.kind = HOTSLOT_SOURCE_FILE;
    source.path = path;
    if ((is_new ? hotslot_load : hotslot_replace)(runtime, name, &source, &report, &error))
        fail(error);
    printf("   %s %s: %.100s...\n", is_new ? "loaded" : "replaced", name, report);
    hotslot_string_free(report);
}

/* What is passed through a guarded call: a function of the code, and places for what it takes and
 * returns. */
typedef int64_t (*number_function)(int64_t);
struct call {
    number_function function;
    int64_t argument, result;
};
static void perform(void *data) {
    struct call *call = data;
    call->result = call->function(call->argument);
}

/* Calls a function of the code, which may do what it likes. The address leads to the newest version
 * of the function, so it could be asked for once. */
static int call(const char *name, int64_t argument, int64_t *result, hotslot_error **error) {
    struct call call;
    hotslot_call_options options;
    hotslot_code code;
    call.function = (number_function)hotslot_function(runtime, name, "i64 (i64)", error);
    if (!call.function)
        return hotslot_error_code(*error);
    call.argument = argument;
    call.result = 0;
    hotslot_init(&options, sizeof options);
    options.interrupt = stop;
    options.deadline_ms = 60000;
    code = hotslot_call_guarded(runtime, perform, &call, &options, error);
    *result = call.result;
    return code;
}

static void sell(int64_t count) {
    hotslot_error *error;
    int64_t price = 0, sum = 0;
    if (call("sell", count, &price, &error) || call("with_tax", price, &sum, &error)) {
        printf("   no sale: %s\n", hotslot_error_message(error));
        if (hotslot_error_backtrace(error))
            printf("%s", hotslot_error_backtrace(error));
        hotslot_error_free(error);
        return;
    }
    printf("   %" PRId64 " sold for %" PRId64 ", with tax %" PRId64 "\n", count, price, sum);
}

/* Control-C, or here the alarm: the call ends, not the program. */
static void on_signal(int signal) {
    (void)signal;
    hotslot_interrupt_raise_in_signal(stop);
    alarm(1); /* for a call that begins later */
}

int main(void) {
    hotslot_options options;
    hotslot_source source;
    hotslot_error *error;
    char path[256], *json;
    const int64_t *sold;
    struct sigaction action;

    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("hotslot %s\n", hotslot_version());
    hotslot_init(&options, sizeof options);
    options.opt_level = HOTSLOT_OPT_O1;
    if (hotslot_runtime_new(&options, &runtime, &error) || hotslot_interrupt_new(&stop, &error))
        fail(error);
    if (hotslot_define_function(runtime, "say", "void (ptr)", (hotslot_fn)say, &error))
        fail(error);

    puts("1. The shop opens: an object, bitcode, and IR from memory.");
    compile("stock", STOCK, "", ".o", path);
    hotslot_init(&source, sizeof source);
    source.kind = HOTSLOT_SOURCE_FILE;
    source.path = path;
    if (hotslot_load(runtime, "stock", &source, NULL, &error))
        fail(error);
    hotslot_init(&source, sizeof source);
    source.kind = HOTSLOT_SOURCE_IR;
    source.bytes = TAX;
    source.length = strlen(TAX);
    source.label = "tax.ll";
    if (hotslot_load(runtime, "tax", &source, NULL, &error))
        fail(error);
    put("price", PRICE, 1);
    sell(2);

    puts("2. The price changes. Nobody is stopped, and no caller is touched.");
    put("price", PRICE_WITH_REBATE, 0);
    sell(2);

    puts("3. A version with a bug. The crash is told, and the update taken back.");
    put("price", PRICE_WITH_A_BUG, 0);
    {
        int64_t price;
        if (call("sell", 1, &price, &error) == HOTSLOT_CODE_FAULT) {
            printf("   %s\n%s", hotslot_error_message(error), hotslot_error_backtrace(error));
            if (hotslot_undo_cause(runtime, error, &json, NULL) || !json)
                return 1;
            puts("   taken back");
            hotslot_string_free(json);
        }
        hotslot_error_free(error);
    }
    sell(2);

    puts("4. A version that never ends. A signal ends the call.");
    put("price", PRICE_FOR_EVER, 0);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    sell(1);
    alarm(0);
    if (hotslot_undo(runtime, NULL, &error))
        fail(error);

    puts("5. What does not fit is refused, and says why.");
    hotslot_init(&source, sizeof source);
    source.bytes = "define i64 @with_tax(i64 %price) { ret i32 %price }";
    source.length = strlen(source.bytes);
    source.label = "tax.ll";
    if (hotslot_replace(runtime, "tax", &source, NULL, &error)) {
        printf("   code %d: %s\n", (int)hotslot_error_code(error), hotslot_error_text(error));
        hotslot_error_free(error);
    }
    sell(3);

    sold = hotslot_data(runtime, "sold", &error);
    if (!sold)
        fail(error);
    printf("In all %" PRId64 " were sold, the failed ones included.\n", *sold);
    if (hotslot_history(runtime, "price", &json, &error))
        fail(error);
    printf("Generations of price: %.60s...\n", json);
    hotslot_string_free(json);
    if (hotslot_stats(runtime, &json, &error))
        fail(error);
    printf("%s\n", json);
    hotslot_string_free(json);
    signal(SIGALRM, SIG_DFL);
    hotslot_interrupt_free(stop);
    hotslot_runtime_free(runtime);
    snprintf(path, sizeof path, "rm -r %s", folder);
    return system(path) != 0;
}
