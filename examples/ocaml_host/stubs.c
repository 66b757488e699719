/* What OCaml calls of hotslot: the smallest binding that is of use. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <caml/alloc.h>
#include <caml/custom.h>
#include <caml/fail.h>
#include <caml/memory.h>
#include <caml/mlvalues.h>

#include "hotslot.h"

/* Raises Failure with what failed. */
static void fail(hotslot_error *error) {
    char text[1024];
    snprintf(text, sizeof text, "%s", hotslot_error_text(error));
    hotslot_error_free(error);
    caml_failwith(text);
}

#define RUNTIME(value) (*(hotslot_runtime **)Data_custom_val(value))

static void finalize(value runtime) { hotslot_runtime_free(RUNTIME(runtime)); }

static struct custom_operations operations = {
    "hotslot.runtime",          finalize,
    custom_compare_default,     custom_hash_default,
    custom_serialize_default,   custom_deserialize_default,
    custom_compare_ext_default, custom_fixed_length_default,
};

value host_runtime(value unit) {
    CAMLparam1(unit);
    CAMLlocal1(result);
    hotslot_runtime *runtime;
    hotslot_error *error;
    if (hotslot_runtime_new(NULL, &runtime, &error))
        fail(error);
    result = caml_alloc_custom(&operations, sizeof runtime, 0, 1);
    RUNTIME(result) = runtime;
    CAMLreturn(result);
}

/* Loads textual IR, or replaces the module; returns the report. */
value host_put(value runtime, value name, value text, value replace) {
    CAMLparam4(runtime, name, text, replace);
    CAMLlocal1(result);
    hotslot_source source;
    hotslot_error *error;
    hotslot_code code;
    char *report;
    hotslot_init(&source, sizeof source);
    source.kind = HOTSLOT_SOURCE_IR;
    source.bytes = String_val(text);
    source.length = caml_string_length(text);
    code = Bool_val(replace)
               ? hotslot_replace(RUNTIME(runtime), String_val(name), &source, &report, &error)
               : hotslot_load(RUNTIME(runtime), String_val(name), &source, &report, &error);
    if (code)
        fail(error);
    result = caml_copy_string(report);
    hotslot_string_free(report);
    CAMLreturn(result);
}

typedef int64_t (*number_function)(int64_t);
struct call {
    number_function function;
    int64_t argument, result;
};

static void perform(void *data) {
    struct call *call = data;
    call->result = call->function(call->argument);
}

/* Calls a function of numbers, under a guard: between it and the code there is nothing of OCaml. */
value host_call(value runtime, value name, value argument) {
    CAMLparam3(runtime, name, argument);
    hotslot_error *error;
    struct call call;
    call.function =
        (number_function)hotslot_function(RUNTIME(runtime), String_val(name), "i64 (i64)", &error);
    if (!call.function)
        fail(error);
    call.argument = Long_val(argument);
    call.result = 0;
    if (hotslot_call_guarded(RUNTIME(runtime), perform, &call, NULL, &error)) {
        /* The update that brought it goes. */
        hotslot_undo_cause(RUNTIME(runtime), error, NULL, NULL);
        fail(error);
    }
    CAMLreturn(Val_long(call.result));
}
