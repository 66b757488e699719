/* A host in C that does one thing, named by its argument, and says "well" if it went as it should. */
#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "check.h"

/* Exported by the program, and so found by itself. */
int host_number(void);
int host_number(void) { return 40; }
int host_variable = 2;

/* Not exported. */
static int added(int number) { return number + 1; }
static int doubled(int number) { return number * 2; }

static void loads_and_replaces(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    char *report;
    hotslot_source source;
    int_function f;
    OK(load(runtime, "caller", "declare i32 @f()\n define i32 @g() { %x = call i32 @f() ret i32 %x }",
            &error));
    source = ir("define i32 @f() { ret i32 1 }");
    OK(hotslot_load(runtime, "m", &source, &report, &error));
    SAYS(report, "\"generation\":1");
    hotslot_string_free(report);
    f = (int_function)hotslot_function(runtime, "f", NULL, &error);
    CHECK(f() == 1 && call_int(runtime, "g") == 1);
    source = ir("define i32 @f() { ret i32 2 }");
    source.kind = HOTSLOT_SOURCE_DETECT;
    OK(hotslot_replace(runtime, "m", &source, &report, &error));
    SAYS(report, "\"changed_functions\":[\"f\"]");
    hotslot_string_free(report);
    CHECK(f() == 2 && call_int(runtime, "g") == 2);
    hotslot_settle(runtime);
    OK(hotslot_modules(runtime, &report, &error));
    CHECK(strcmp(report, "[{\"generation\":1,\"name\":\"caller\"},{\"generation\":2,\"name\":\"m\"}]") == 0);
    hotslot_string_free(report);
    OK(hotslot_rollback(runtime, "m", 1, &report, &error));
    SAYS(report, "\"restored\":true");
    hotslot_string_free(report);
    CHECK(f() == 1);
    OK(hotslot_undo(runtime, NULL, &error));
    CHECK(f() == 2);
    OK(hotslot_history(runtime, "m", &report, &error));
    SAYS(report, "\"live\":true");
    hotslot_string_free(report);
    OK(hotslot_stats(runtime, &report, &error));
    SAYS(report, "\"modules\":2");
    hotslot_string_free(report);
    OK(hotslot_remove(runtime, "caller", &report, &error));
    SAYS(report, "\"removed\":[\"caller\"]");
    hotslot_string_free(report);
    OK(hotslot_reclaim(runtime, &report, &error));
    SAYS(report, "pending_bytes");
    hotslot_string_free(report);
    OK(hotslot_pending(runtime, &report, &error));
    CHECK(report[0] == '[');
    hotslot_string_free(report);
    hotslot_stop_optimising(runtime, 1000);
    hotslot_runtime_free(runtime);
}

static void says_what_failed(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    hotslot_source source;
    hotslot_update *update;
    char *json = (char *)"";
    FAILS(HOTSLOT_CODE_UPDATE, hotslot_remove(runtime, "nobody", &json, &error));
    CHECK(json == NULL);
    SAYS(hotslot_error_text(error), "there is no module nobody; use load to add it");
    SAYS(hotslot_error_message(error), "there is no module nobody");
    SAYS(hotslot_error_hint(error), "use load");
    CHECK(strcmp(hotslot_error_module(error), "nobody") == 0);
    CHECK(!hotslot_error_symbol(error) && !hotslot_error_file(error) && !hotslot_error_backtrace(error));
    CHECK(hotslot_error_count(error) == 1 && hotslot_error_problem(error, 0) == error);
    CHECK(!hotslot_error_problem(error, 1));
    json = hotslot_error_json(error);
    SAYS(json, "\"code\":7");
    SAYS(json, "\"fault\":null");
    hotslot_string_free(json);
    hotslot_error_free(error);

    source = ir("define i32 @f() { ret i64 1 }");
    source.label = "f.ll";
    FAILS(HOTSLOT_CODE_PARSE, hotslot_load(runtime, "m", &source, NULL, &error));
    CHECK(strcmp(hotslot_error_file(error), "f.ll") == 0);
    hotslot_error_free(error);

    /* An update tells all of its problems. */
    update = hotslot_update_new(runtime);
    OK(hotslot_update_remove(update, "one", &error));
    OK(hotslot_update_remove(update, "other", &error));
    FAILS(HOTSLOT_CODE_UPDATE, hotslot_update_commit(update, &json, &error));
    CHECK(json == NULL);
    SAYS(hotslot_error_text(error), "one");
    hotslot_error_free(error);
    hotslot_update_free(update);

    CHECK(!hotslot_function(runtime, "nothing", NULL, &error));
    CHECK(hotslot_error_code(error) == HOTSLOT_CODE_RESOLVE);
    CHECK(strcmp(hotslot_error_symbol(error), "nothing") == 0);
    hotslot_error_free(error);
    /* Nobody has to ask for the error. */
    CHECK(!hotslot_function(runtime, "nothing", NULL, NULL));
    CHECK(hotslot_remove(runtime, "nobody", NULL, NULL) == HOTSLOT_CODE_UPDATE);

    FAILS(HOTSLOT_CODE_ARGUMENT, hotslot_remove(runtime, "\xff", NULL, &error));
    SAYS(hotslot_error_text(error), "module is not UTF-8");
    hotslot_error_free(error);
    FAILS(HOTSLOT_CODE_READ, hotslot_open_library(runtime, "/nowhere/lib.so", &error));
    hotslot_error_free(error);
    FAILS(HOTSLOT_CODE_RESOLVE, hotslot_find_library(runtime, "of-nobody", NULL, 0, &error));
    hotslot_error_free(error);
    OK(hotslot_find_library(runtime, "m", NULL, 0, &error));
    hotslot_runtime_free(runtime);
}

static void looks_names_up(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    int number = 5;
    hotslot_fn function;
    OK(hotslot_define_function(runtime, "change", NULL, (hotslot_fn)added, &error));
    OK(hotslot_define_data(runtime, "number", &number, &error));
    OK(load(runtime, "m",
            "@number = external global i32\n @host_variable = external global i32\n @own = global i32 7\n"
            "declare i32 @change(i32)\n declare i32 @host_number()\n"
            "define i32 @mine() { %a = load i32, ptr @number %b = call i32 @change(i32 %a) ret i32 %b }\n"
            "define i32 @yours() { %a = call i32 @host_number() %b = load i32, ptr @host_variable\n"
            "  %c = add i32 %a, %b ret i32 %c }",
            &error));
    CHECK(call_int(runtime, "mine") == 6);
    number = 8;
    CHECK(call_int(runtime, "mine") == 9);
    OK(hotslot_define_function(runtime, "change", NULL, (hotslot_fn)doubled, &error));
    CHECK(call_int(runtime, "mine") == 16);
    CHECK(call_int(runtime, "yours") == 42);
    CHECK(*(int *)hotslot_data(runtime, "own", &error) == 7);
    CHECK(hotslot_data(runtime, "number", &error) == &number);
    CHECK(!hotslot_data(runtime, "mine", &error));
    CHECK(hotslot_error_code(error) == HOTSLOT_CODE_SIGNATURE);
    hotslot_error_free(error);
    CHECK(!hotslot_function(runtime, "own", NULL, &error));
    CHECK(hotslot_error_code(error) == HOTSLOT_CODE_SIGNATURE);
    hotslot_error_free(error);
    CHECK(!hotslot_function(runtime, "mine", "void (ptr)", &error));
    CHECK(hotslot_error_code(error) == HOTSLOT_CODE_SIGNATURE);
    SAYS(hotslot_error_text(error), "i32 ()");
    hotslot_error_free(error);
    {
        char *json;
        const char *names[] = {"mine", "own"}, *unknown[] = {"strlen", "nothing"};
        OK(hotslot_symbol(runtime, "mine", &json, &error));
        SAYS(json, "\"kind\":\"function\",\"module\":\"m\",\"name\":\"mine\",\"origin\":\"module\"");
        SAYS(json, "\"signature\":\"i32 ()\"");
        hotslot_string_free(json);
        OK(hotslot_symbol(runtime, "nothing", &json, &error));
        CHECK(strcmp(json, "null") == 0);
        hotslot_string_free(json);
        OK(hotslot_symbols(runtime, &json, &error));
        SAYS(json, "\"origin\":\"host\"");
        SAYS(json, "\"name\":\"own\"");
        hotslot_string_free(json);
        OK(hotslot_declarations(runtime, names, 2, &json, &error));
        CHECK(strcmp(json, "declare i32 @\"mine\"()\n@\"own\" = external global [4 x i8]\n") == 0);
        hotslot_string_free(json);
        FAILS(HOTSLOT_CODE_SIGNATURE, hotslot_declarations(runtime, unknown, 2, &json, &error));
        CHECK(json == NULL && hotslot_error_count(error) == 2);
        CHECK(hotslot_error_code(hotslot_error_problem(error, 1)) == HOTSLOT_CODE_RESOLVE);
        hotslot_error_free(error);
        /* With a type, whoever takes it for another one is refused. */
        OK(hotslot_define_function(runtime, "typed", "i32 (i32)", (hotslot_fn)added, &error));
        FAILS(HOTSLOT_CODE_SIGNATURE,
              load(runtime, "wrong",
                   "declare double @typed(double)\n"
                   "define double @w() { %x = call double @typed(double 1.0) ret double %x }",
                   &error));
        hotslot_error_free(error);
        FAILS(HOTSLOT_CODE_SIGNATURE,
              hotslot_define_function(runtime, "typed", "no type", (hotslot_fn)added, &error));
        hotslot_error_free(error);
    }
    function = hotslot_function(runtime, "strlen", NULL, &error);
    CHECK(((size_t (*)(const char *))function)("four") == 4);
    hotslot_runtime_free(runtime);
}

static void carry(void *context, const hotslot_moved *variable) {
    int old;
    CHECK(variable->size == sizeof *variable && strcmp(variable->name, "v") == 0);
    CHECK(strcmp(variable->module, "m") == 0 && variable->old_size == 4 && variable->new_size == 8);
    memcpy(&old, variable->old_bytes, sizeof old);
    {
        int64_t value = old + 100;
        memcpy(variable->new_bytes, &value, sizeof value);
    }
    ++*(int *)context;
}

static void updates_several(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    hotslot_source source;
    char *report;
    int calls = 0;
    hotslot_update *update = hotslot_update_new(runtime);
    hotslot_prepared *prepared, *other;

    /* Two that need each other; check leaves all as it was. */
    source = ir("declare i32 @b()\n define i32 @a() { %x = call i32 @b() ret i32 %x }");
    OK(hotslot_update_load(update, "a", &source, &error));
    OK(hotslot_update_strict(update, &error));
    FAILS(HOTSLOT_CODE_RESOLVE, hotslot_update_check(update, &error));
    hotslot_error_free(error);
    source = ir("define i32 @b() { ret i32 1 }");
    OK(hotslot_update_load(update, "b", &source, &error));
    OK(hotslot_update_check(update, &error));
    CHECK(!hotslot_function(runtime, "a", NULL, NULL));
    OK(hotslot_update_commit(update, &report, &error));
    SAYS(report, "\"name\":\"a\"");
    SAYS(report, "\"name\":\"b\"");
    hotslot_string_free(report);
    CHECK(call_int(runtime, "a") == 1);
    /* Empty now. */
    OK(hotslot_update_commit(update, &report, &error));
    SAYS(report, "\"modules\":[]");
    hotslot_string_free(report);

    /* In two steps, and one of two that is discarded. */
    source = ir("define i32 @b() { ret i32 2 }");
    OK(hotslot_update_replace(update, "b", &source, &error));
    OK(hotslot_update_prepare(update, &prepared, &error));
    source = ir("define i32 @b() { ret i32 3 }");
    OK(hotslot_update_replace(update, "b", &source, &error));
    OK(hotslot_update_prepare(update, &other, &error));
    CHECK(call_int(runtime, "a") == 1 && hotslot_prepared_is_current(prepared));
    OK(hotslot_prepared_report(prepared, &report, &error));
    SAYS(report, "\"generation\":2");
    hotslot_string_free(report);
    hotslot_prepared_free(other);
    OK(hotslot_prepared_commit(prepared, &report, &error));
    hotslot_string_free(report);
    CHECK(call_int(runtime, "a") == 2 && !hotslot_prepared_is_current(prepared));
    FAILS(HOTSLOT_CODE_UPDATE, hotslot_prepared_commit(prepared, NULL, &error));
    hotslot_error_free(error);
    FAILS(HOTSLOT_CODE_UPDATE, hotslot_prepared_report(prepared, &report, &error));
    hotslot_error_free(error);
    hotslot_prepared_free(prepared);
    OK(hotslot_update_restore(update, "b", 1, &error));
    OK(hotslot_update_keep(update, &error));
    OK(hotslot_update_commit(update, NULL, &error));
    CHECK(call_int(runtime, "a") == 1);
    OK(hotslot_undo(runtime, &report, &error));
    CHECK(report == NULL);
    hotslot_update_free(update);

    /* A variable that no longer fits. */
    OK(load(runtime, "m", "@v = global i32 5", &error));
    update = hotslot_update_new(runtime);
    source = ir("@v = global i64 6");
    OK(hotslot_update_replace(update, "m", &source, &error));
    FAILS(HOTSLOT_CODE_STORAGE, hotslot_update_check(update, &error));
    CHECK(strcmp(hotslot_error_symbol(error), "v") == 0);
    hotslot_error_free(error);
    OK(hotslot_update_migrate(update, "v", carry, &calls, &error));
    OK(hotslot_update_commit(update, &report, &error));
    SAYS(report, "\"migrated_variables\":[\"v\"]");
    hotslot_string_free(report);
    CHECK(calls == 1 && *(int64_t *)hotslot_data(runtime, "v", &error) == 105);
    hotslot_update_free(update);
    update = hotslot_update_new(runtime);
    source = ir("@v = global i32 9");
    OK(hotslot_update_replace(update, "m", &source, &error));
    OK(hotslot_update_reset(update, "v", &error));
    OK(hotslot_update_commit(update, NULL, &error));
    CHECK(*(int32_t *)hotslot_data(runtime, "v", &error) == 9);
    hotslot_update_free(update);
    update = hotslot_update_new(runtime);
    source = ir("@v = global i64 10");
    OK(hotslot_update_replace(update, "m", &source, &error));
    OK(hotslot_update_migrate_all(update, carry, &calls, &error));
    OK(hotslot_update_commit(update, NULL, &error));
    CHECK(calls == 2 && *(int64_t *)hotslot_data(runtime, "v", &error) == 109);
    hotslot_update_free(update);
    update = hotslot_update_new(runtime);
    source = ir("@v = global i32 11");
    OK(hotslot_update_replace(update, "m", &source, &error));
    OK(hotslot_update_reset_all(update, &error));
    OK(hotslot_update_keep_tables(update, 1, &error));
    OK(hotslot_update_want(update, "v", &error));
    OK(hotslot_update_library(update, "m", NULL, 0, &error));
    OK(hotslot_update_commit(update, NULL, &error));
    CHECK(*(int32_t *)hotslot_data(runtime, "v", &error) == 11);
    hotslot_update_free(update);
    /* What has been prepared outlives the rest. */
    update = hotslot_update_new(runtime);
    source = ir("define i32 @b() { ret i32 7 }");
    OK(hotslot_update_replace(update, "b", &source, &error));
    OK(hotslot_update_prepare(update, &prepared, &error));
    hotslot_update_free(update);
    hotslot_runtime_free(runtime);
    OK(hotslot_prepared_commit(prepared, NULL, &error));
    hotslot_prepared_free(prepared);
}

static void make_caller(void *context, hotslot_rebuilt *into) {
    hotslot_error *error;
    hotslot_source source;
    int *times = context;
    if (++*times == 1) {
        OK(hotslot_rebuilt_failed(into, "the compiler said no", &error));
        return;
    }
    source = ir("declare i32 @f(i32)\n define i32 @g() { %x = call i32 @f(i32 20) ret i32 %x }");
    OK(hotslot_rebuilt_source(into, &source, &error));
}

static void makes_callers_anew(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    hotslot_source source;
    hotslot_update *update;
    int times = 0;
    OK(load(runtime, "f", "define i32 @f() { ret i32 1 }", &error));
    source = ir("declare i32 @f()\n define i32 @g() { %x = call i32 @f() ret i32 %x }");
    source.rebuild = make_caller;
    source.rebuild_context = &times;
    OK(hotslot_load(runtime, "g", &source, NULL, &error));
    update = hotslot_update_new(runtime);
    source = ir("define i32 @f(i32 %x) { %y = add i32 %x, 2 ret i32 %y }");
    OK(hotslot_update_replace(update, "f", &source, &error));
    FAILS(HOTSLOT_CODE_SIGNATURE, hotslot_update_check(update, &error));
    hotslot_error_free(error);
    OK(hotslot_update_rebuild_callers(update, &error));
    CHECK(hotslot_update_check(update, &error) != HOTSLOT_CODE_OK);
    SAYS(hotslot_error_text(error), "the compiler said no");
    hotslot_error_free(error);
    OK(hotslot_update_commit(update, NULL, &error));
    CHECK(times == 2 && call_int(runtime, "g") == 22);
    hotslot_update_free(update);
    hotslot_runtime_free(runtime);
}

static void run_function(void *function) { (*(int_function *)function)(); }

static void survives_faults(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    hotslot_call_options options;
    int_function function;
    int i;
    char *json;
    OK(load(runtime, "m",
            "declare i32 @gone()\n@flag = global i32 0\n"
            "define i32 @null() { %p = load volatile ptr, ptr @nowhere\n"
            "  %x = load volatile i32, ptr %p ret i32 %x }\n"
            "@nowhere = global ptr null\n @zero = global i32 0\n"
            "define i32 @divide() { %z = load volatile i32, ptr @zero\n"
            "  %n = load volatile i32, ptr @flag %x = sdiv i32 %n, %z ret i32 %x }\n"
            "define i32 @deep() { %a = alloca [64 x i32] store volatile i32 1, ptr %a\n"
            "  %x = call i32 @deep() %y = load volatile i32, ptr %a %z = add i32 %x, %y ret i32 %z }\n"
            "define i32 @missing() { %x = call i32 @gone() ret i32 %x }\n"
            "define i32 @loop() {\n br label %l\nl:\n store volatile i32 1, ptr @flag br label %l }",
            &error));
    hotslot_init(&options, sizeof options);
    options.deadline_ms = 20;
    for (i = 0; i < 3; i++) {
        function = (int_function)hotslot_function(runtime, "null", NULL, &error);
        FAILS(HOTSLOT_CODE_FAULT, hotslot_call_guarded(runtime, run_function, &function, NULL, &error));
        SAYS(hotslot_error_text(error), "null");
        SAYS(hotslot_error_backtrace(error), "null");
        json = hotslot_error_json(error);
        SAYS(json, "\"signal_name\":\"SIGSEGV\"");
        SAYS(json, "\"module\":\"m\"");
        hotslot_string_free(json);
        hotslot_error_free(error);
        function = (int_function)hotslot_function(runtime, "divide", NULL, &error);
        FAILS(HOTSLOT_CODE_FAULT, hotslot_call_guarded(runtime, run_function, &function, NULL, &error));
        hotslot_error_free(error);
        function = (int_function)hotslot_function(runtime, "deep", NULL, &error);
        FAILS(HOTSLOT_CODE_FAULT, hotslot_call_guarded(runtime, run_function, &function, NULL, &error));
        json = hotslot_error_json(error);
        SAYS(json, "\"stack_overflow\":true");
        hotslot_string_free(json);
        hotslot_error_free(error);
        function = (int_function)hotslot_function(runtime, "missing", NULL, &error);
        FAILS(HOTSLOT_CODE_RESOLVE, hotslot_call_guarded(runtime, run_function, &function, NULL, &error));
        CHECK(strcmp(hotslot_error_symbol(error), "gone") == 0);
        hotslot_error_free(error);
        function = (int_function)hotslot_function(runtime, "loop", NULL, &error);
        FAILS(HOTSLOT_CODE_INTERRUPTED,
              hotslot_call_guarded(runtime, run_function, &function, &options, &error));
        hotslot_error_free(error);
    }
    /* And one that an update has brought is taken back. */
    OK(replace(runtime, "m", "define i32 @deep() { ret i32 3 }", &error));
    OK(replace(runtime, "m",
               "define i32 @deep() { call void @llvm.trap() unreachable }\n declare void @llvm.trap()",
               &error));
    function = (int_function)hotslot_function(runtime, "deep", NULL, &error);
    FAILS(HOTSLOT_CODE_FAULT, hotslot_call_guarded(runtime, run_function, &function, NULL, &error));
    CHECK(hotslot_undo_cause(runtime, error, &json, NULL) == HOTSLOT_CODE_OK && json);
    hotslot_string_free(json);
    CHECK(hotslot_undo_cause(runtime, error, &json, NULL) == HOTSLOT_CODE_OK && !json);
    hotslot_error_free(error);
    CHECK(call_int(runtime, "deep") == 3);
    OK(hotslot_call_guarded(runtime, run_function, &function, &options, &error));
    hotslot_runtime_free(runtime);
}

static hotslot_runtime *whose;

static void gives_up(void) {
    hotslot_error *error;
    hotslot_code code = hotslot_give_up(whose, "no way on", &error);
    /* Only without a guarded call. */
    CHECK(code == HOTSLOT_CODE_GIVEN_UP && hotslot_error_code(error) == code);
    hotslot_error_free(error);
}

static void is_ended_by_itself(void) {
    hotslot_error *error;
    hotslot_options options;
    int_function function;
    int status = 0;
    char *json;
    hotslot_init(&options, sizeof options);
    options.arena_size = (size_t)64 << 20;
    options.contain_aborts = HOTSLOT_ON;
    OK(hotslot_runtime_new(&options, &whose, &error));
    OK(hotslot_define_function(whose, "gives_up", "void ()", (hotslot_fn)gives_up, &error));
    OK(load(whose, "m",
            "declare void @abort()\n declare void @exit(i32)\n declare void @gives_up()\n"
            "define i32 @aborts() { call void @abort() ret i32 0 }\n"
            "define i32 @exits() { call void @exit(i32 7) ret i32 0 }\n"
            "define i32 @asks() { call void @gives_up() ret i32 5 }",
            &error));
    function = (int_function)hotslot_function(whose, "aborts", NULL, &error);
    FAILS(HOTSLOT_CODE_ABORTED, hotslot_call_guarded(whose, run_function, &function, NULL, &error));
    SAYS(hotslot_error_backtrace(error), "aborts");
    CHECK(hotslot_error_exit_code(error, &status) == 0);
    hotslot_error_free(error);
    function = (int_function)hotslot_function(whose, "exits", NULL, &error);
    FAILS(HOTSLOT_CODE_ABORTED, hotslot_call_guarded(whose, run_function, &function, NULL, &error));
    CHECK(hotslot_error_exit_code(error, &status) == 1 && status == 7);
    json = hotslot_error_json(error);
    SAYS(json, "\"exit_code\":7");
    hotslot_string_free(json);
    hotslot_error_free(error);
    function = (int_function)hotslot_function(whose, "asks", NULL, &error);
    FAILS(HOTSLOT_CODE_GIVEN_UP, hotslot_call_guarded(whose, run_function, &function, NULL, &error));
    SAYS(hotslot_error_text(error), "no way on");
    SAYS(hotslot_error_backtrace(error), "asks");
    hotslot_error_free(error);
    CHECK(function() == 5);
    hotslot_runtime_free(whose);
}

static void runs_lines(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    hotslot_anonymous *line, *other;
    hotslot_source source;
    int_function first, second;
    char *text;
    OK(load(runtime, "m", "@total = global i32 40", &error));
    source = ir("@total = external global i32\n @more = global i32 2\n"
                "define i32 @line() { %a = load i32, ptr @total %b = load i32, ptr @more\n"
                "  %c = add i32 %a, %b store i32 %c, ptr @total ret i32 %c }");
    OK(hotslot_anonymous_load(runtime, &source, &line, &text, &error));
    SAYS(text, "\"undefined\":[]");
    hotslot_string_free(text);
    OK(hotslot_anonymous_load(runtime, &source, &other, NULL, &error));
    first = (int_function)hotslot_anonymous_function(line, "line", "i32 ()", &error);
    second = (int_function)hotslot_anonymous_function(other, "line", NULL, &error);
    CHECK(first != second && first() == 42 && second() == 44);
    CHECK(*(int *)hotslot_anonymous_data(line, "more", &error) == 2);
    CHECK(!hotslot_anonymous_data(line, "line", &error));
    CHECK(hotslot_error_code(error) == HOTSLOT_CODE_SIGNATURE);
    hotslot_error_free(error);
    CHECK(!hotslot_anonymous_function(line, "more", NULL, NULL));
    CHECK(!hotslot_anonymous_function(line, "line", "void (i64)", NULL));
    CHECK(!hotslot_anonymous_function(line, "total", NULL, &error));
    CHECK(hotslot_error_code(error) == HOTSLOT_CODE_RESOLVE);
    hotslot_error_free(error);
    CHECK(!hotslot_function(runtime, "line", NULL, NULL));
    hotslot_anonymous_keep(other);
    hotslot_anonymous_free(line);
    OK(hotslot_reclaim(runtime, &text, &error));
    hotslot_string_free(text);
    CHECK(second() == 46);
    source.kind = HOTSLOT_SOURCE_ARCHIVE;
    CHECK(hotslot_anonymous_load(runtime, &source, &line, &text, &error) && !line && !text);
    hotslot_error_free(error);
    hotslot_runtime_free(runtime);
}

static hotslot_interrupt *stop;
static volatile int *flag;

static void *raise_later(void *data) {
    (void)data;
    while (!*flag)
        usleep(100);
    CHECK(hotslot_interrupt_raise(stop) == 1);
    return NULL;
}

static void *signal_later(void *main_thread) {
    while (!*flag)
        usleep(100);
    pthread_kill(*(pthread_t *)main_thread, SIGINT);
    return NULL;
}

static void on_signal(int number) {
    (void)number;
    errno = 77;
    hotslot_interrupt_raise_in_signal(stop);
    if (errno != 77)
        abort();
}

static void is_interrupted(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    hotslot_call_options options;
    hotslot_interrupt *idle;
    int_function function;
    pthread_t thread, own = pthread_self();
    struct sigaction action;
    int i;
    OK(load(runtime, "m",
            "@flag = global i32 0\n define i32 @loop() {\n br label %l\nl:\n"
            " store volatile i32 1, ptr @flag br label %l }",
            &error));
    OK(hotslot_interrupt_new(&stop, &error));
    OK(hotslot_interrupt_new(&idle, &error));
    CHECK(hotslot_interrupt_raise(idle) == 0);
    hotslot_interrupt_raise_in_signal(idle);
    flag = hotslot_data(runtime, "flag", &error);
    function = (int_function)hotslot_function(runtime, "loop", NULL, &error);
    hotslot_init(&options, sizeof options);
    options.interrupt = stop;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    for (i = 0; i < 20; i++) {
        *flag = 0;
        CHECK(pthread_create(&thread, NULL, i % 2 ? raise_later : signal_later, &own) == 0);
        FAILS(HOTSLOT_CODE_INTERRUPTED,
              hotslot_call_guarded(runtime, run_function, &function, &options, &error));
        hotslot_error_free(error);
        pthread_join(thread, NULL);
    }
    hotslot_interrupt_free(idle);
    hotslot_interrupt_free(stop);
    hotslot_runtime_free(runtime);
}

static void reads_records(void) {
    hotslot_runtime *runtime = NULL;
    hotslot_error *error;
    hotslot_options options;
    const char *names[] = {"main", NULL};
    const char *words[] = {"host", "word"};
    struct {
        hotslot_options known;
        size_t unknown;
    } newer;
    /* Not prepared. */
    memset(&options, 0, sizeof options);
    FAILS(HOTSLOT_CODE_ARGUMENT, hotslot_runtime_new(&options, &runtime, &error));
    SAYS(hotslot_error_text(error), "hotslot_init");
    hotslot_error_free(error);
    /* Of an older header: only what that knew is read. */
    memset(&options, 0x55, sizeof options);
    hotslot_init(&options, offsetof(hotslot_options, retained_limit));
    options.arena_size = (size_t)16 << 20;
    OK(hotslot_runtime_new(&options, &runtime, &error));
    hotslot_runtime_free(runtime);
    /* Of a newer one: as long as it says nothing new. */
    hotslot_init(&newer, sizeof newer);
    newer.known.arena_size = (size_t)16 << 20;
    OK(hotslot_runtime_new(&newer.known, &runtime, &error));
    hotslot_runtime_free(runtime);
    newer.unknown = 1;
    FAILS(HOTSLOT_CODE_ARGUMENT, hotslot_runtime_new(&newer.known, &runtime, &error));
    CHECK(runtime == NULL);
    hotslot_error_free(error);
    /* Everything. */
    hotslot_init(&options, sizeof options);
    options.arena_size = (size_t)64 << 20;
    options.retained_limit = (size_t)8 << 20;
    options.opt_level = HOTSLOT_OPT_O3;
    options.tiered = HOTSLOT_OFF;
    options.lazy = HOTSLOT_ON;
    options.contain_faults = HOTSLOT_ON;
    options.contain_aborts = HOTSLOT_OFF;
    options.check_declarations = HOTSLOT_OFF;
    options.process_symbols = HOTSLOT_OFF;
    options.verify_diff = HOTSLOT_ON;
    options.call_form = HOTSLOT_CALL_STUB;
    options.history = -1;
    options.compile_threads = 1;
    options.cpu = "x86-64-v2";
    options.arguments = words;
    options.arguments_count = 2;
    options.entered_once = names;
    options.entered_once_count = 1;
    OK(hotslot_runtime_new(&options, &runtime, &error));
    OK(load(runtime, "m", "define i32 @f() { ret i32 1 }", &error));
    OK(replace(runtime, "m", "define i32 @f() { ret i32 2 }", &error));
    FAILS(HOTSLOT_CODE_UPDATE, hotslot_rollback(runtime, "m", 1, NULL, &error));
    hotslot_error_free(error);
    CHECK(call_int(runtime, "f") == 2);
    CHECK(!hotslot_function(runtime, "host_number", NULL, NULL));
    hotslot_runtime_free(runtime);
    /* What makes no sense. */
    options.entered_once_count = 2;
    FAILS(HOTSLOT_CODE_ARGUMENT, hotslot_runtime_new(&options, &runtime, &error));
    SAYS(hotslot_error_text(error), "entered_once[1] is NULL");
    hotslot_error_free(error);
    options.entered_once_count = 0;
    options.opt_level = 9;
    FAILS(HOTSLOT_CODE_ARGUMENT, hotslot_runtime_new(&options, &runtime, &error));
    SAYS(hotslot_error_text(error), "opt_level cannot be 9");
    hotslot_error_free(error);
    options.opt_level = 0;
    options.lazy = 3;
    FAILS(HOTSLOT_CODE_ARGUMENT, hotslot_runtime_new(&options, &runtime, &error));
    hotslot_error_free(error);
    options.lazy = 0;
    options.history = -2;
    FAILS(HOTSLOT_CODE_ARGUMENT, hotslot_runtime_new(&options, &runtime, &error));
    hotslot_error_free(error);
    CHECK(hotslot_api_version() >= HOTSLOT_API_VERSION);
    {
        char *version = hotslot_llvm_version();
        SAYS(version, ".");
        hotslot_string_free(version);
    }
}

static void keeps_a_cache(void) {
    hotslot_runtime *runtime;
    hotslot_error *error;
    hotslot_options options;
    hotslot_source source = ir("define i32 @f() { ret i32 1 }");
    char *report, folder[] = "/tmp/hotslot-capi-XXXXXX", command[100];
    int round;
    CHECK(mkdtemp(folder));
    for (round = 0; round < 2; round++) {
        hotslot_init(&options, sizeof options);
        options.arena_size = (size_t)64 << 20;
        options.cache = folder;
        options.cache_limit = 1 << 20;
        OK(hotslot_runtime_new(&options, &runtime, &error));
        OK(hotslot_load(runtime, "m", &source, &report, &error));
        SAYS(report, round ? "\"cached\":true" : "\"cached\":false");
        hotslot_string_free(report);
        hotslot_runtime_free(runtime);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

static volatile int go_on;

static void *change(void *data) {
    hotslot_runtime *runtime = data;
    hotslot_error *error;
    char text[64];
    int i;
    for (i = 1; i <= 30; i++) {
        snprintf(text, sizeof text, "define i32 @f() { ret i32 %d }", i);
        OK(replace(runtime, "m", text, &error));
    }
    return NULL;
}

static void *call(void *data) {
    hotslot_runtime *runtime = data;
    hotslot_error *error;
    while (go_on) {
        int_function function = (int_function)hotslot_function(runtime, "f", NULL, &error);
        CHECK(function && function() >= 0);
        OK(hotslot_call_guarded(runtime, run_function, &function, NULL, &error));
    }
    return NULL;
}

static void is_used_by_threads(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    pthread_t threads[4];
    int i;
    go_on = 1;
    OK(load(runtime, "m", "define i32 @f() { ret i32 0 }", &error));
    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, i < 2 ? change : call, runtime) == 0);
    for (i = 0; i < 4; i++) {
        if (i == 2)
            go_on = 0;
        pthread_join(threads[i], NULL);
    }
    CHECK(call_int(runtime, "f") == 30);
    hotslot_runtime_free(runtime);
}

static void *walk(void *data) {
    hotslot_runtime *runtime = data;
    while (go_on)
        call_int(runtime, "step");
    return NULL;
}

static void has_hooks(void) {
    hotslot_runtime *runtime = new_runtime();
    hotslot_error *error;
    hotslot_hooks *hooks;
    hotslot_update *update;
    hotslot_source source;
    pthread_t thread;
    char *applied;
    OK(hotslot_hooks_install(runtime, &hooks, &error));
    SAYS(hotslot_hooks_header(), "hotslot_safe_point");
    CHECK(hotslot_hooks_generation(hooks) == 1 && !hotslot_hooks_is_waiting(hooks));
    /* What hotslot_safe_point of that header does. */
    OK(load(runtime, "m",
            "@hotslot_hooks_v1 = external constant { ptr, ptr, ptr, ptr, ptr, ptr }\n"
            "define i32 @step() {\n  %self = load ptr, ptr @hotslot_hooks_v1\n"
            "  %place = getelementptr i8, ptr @hotslot_hooks_v1, i64 16\n  %point = load ptr, ptr %place\n"
            "  %r = call i32 %point(ptr %self) ret i32 %r }",
            &error));
    OK(load(runtime, "f", "define i32 @f() { ret i32 1 }", &error));
    update = hotslot_update_new(runtime);
    source = ir("define i32 @f() { ret i32 2 }");
    OK(hotslot_update_replace(update, "f", &source, &error));
    OK(hotslot_hooks_commit(hooks, update, &applied, &error));
    SAYS(applied, "\"generation\":2");
    SAYS(applied, "\"failed\":[]");
    hotslot_string_free(applied);
    CHECK(call_int(runtime, "f") == 2 && call_int(runtime, "step") == 0);
    /* It has safe points now, and nobody comes by. */
    hotslot_hooks_set_patience(hooks, 1);
    source = ir("define i32 @f() { ret i32 3 }");
    OK(hotslot_update_replace(update, "f", &source, &error));
    FAILS(HOTSLOT_CODE_SAFE_POINT, hotslot_hooks_commit(hooks, update, &applied, &error));
    CHECK(applied == NULL && call_int(runtime, "f") == 2);
    hotslot_error_free(error);
    hotslot_hooks_set_patience(hooks, 60000);
    go_on = 1;
    CHECK(pthread_create(&thread, NULL, walk, runtime) == 0);
    OK(hotslot_update_replace(update, "f", &source, &error));
    OK(hotslot_hooks_commit(hooks, update, NULL, &error));
    CHECK(call_int(runtime, "f") == 3);
    OK(hotslot_hooks_undo(hooks, &applied, &error));
    SAYS(applied, "\"restored\":true");
    hotslot_string_free(applied);
    CHECK(call_int(runtime, "f") == 2 && hotslot_hooks_generation(hooks) == 4);
    go_on = 0;
    pthread_join(thread, NULL);
    {
        int_function function = (int_function)hotslot_function(runtime, "f", NULL, &error);
        OK(replace(runtime, "f",
                   "define i32 @f() { call void @llvm.trap() unreachable }\n declare void @llvm.trap()",
                   &error));
        FAILS(HOTSLOT_CODE_FAULT, hotslot_call_guarded(runtime, run_function, &function, NULL, &error));
        CHECK(hotslot_hooks_undo_cause(hooks, error, &applied, NULL) == HOTSLOT_CODE_OK && applied);
        hotslot_string_free(applied);
        hotslot_error_free(error);
        CHECK(function() == 2);
    }
    hotslot_hooks_close(hooks);
    OK(hotslot_update_replace(update, "f", &source, &error));
    FAILS(HOTSLOT_CODE_SAFE_POINT, hotslot_hooks_commit(hooks, update, &applied, &error));
    hotslot_error_free(error);
    hotslot_update_free(update);
    hotslot_hooks_free(hooks);
    hotslot_runtime_free(runtime);
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"loads_and_replaces", loads_and_replaces},
        {"says_what_failed", says_what_failed},
        {"looks_names_up", looks_names_up},
        {"updates_several", updates_several},
        {"makes_callers_anew", makes_callers_anew},
        {"survives_faults", survives_faults},
        {"is_interrupted", is_interrupted},
        {"reads_records", reads_records},
        {"keeps_a_cache", keeps_a_cache},
        {"is_used_by_threads", is_used_by_threads},
        {"has_hooks", has_hooks},
        {"is_ended_by_itself", is_ended_by_itself},
        {"runs_lines", runs_lines},
    };
    return run_test(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : "");
}
