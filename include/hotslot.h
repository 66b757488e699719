/* hotslot.h: the C interface of hotslot, for hosts in C, C++ and whatever can call C.
 *
 * Made from src/capi by `HOTSLOT_RENEW_HEADER=1 cargo test --test capi header`: not to be edited.
 * How to build the library, and a walk through it, is in docs/c-api.md; what updates guarantee, in
 * docs/guarantees.md. The header of the same name that `hotslot header` prints is another one: it
 * is for code that is loaded. A file may include both.
 *
 * Errors. A function that can fail returns a code, 0 where nothing failed, and takes a last
 * argument `error`. It may be NULL. Otherwise `*error` is set by every call: to NULL, or to an
 * error that the caller frees with hotslot_error_free. A function that returns a pointer says by
 * NULL that it failed. A NULL that may not be one is HOTSLOT_CODE_ARGUMENT, never a crash.
 *
 * Strings. What is passed is in UTF-8, paths are bytes; all of it is copied. What comes as `char *`
 * is freed with hotslot_string_free; what comes as `const char *` is not to be freed. JSON has the
 * names of fields of the Rust library's records; later versions may have more.
 *
 * Records. Every record that a host fills begins with its `size`, which hotslot_init sets: a host
 * that was compiled with an older header works with a newer library. What is zero is the default.
 *
 * Threads. Any thread may call any function, at once with others, also with the same objects; who
 * frees an object sees to it that nobody uses it any more. Updates take turns. Only
 * hotslot_interrupt_raise_in_signal may be called by a handler of a signal. In a child of fork
 * code goes on to run, and can be looked up and called; it cannot be changed.
 *
 * Exceptions. None may leave a function that the host passes, but for that of
 * hotslot_call_guarded. No panic leaves a function of this header.
 *
 * Addresses. That of a function stays for as long as the runtime, whatever is replaced, and leads
 * to the newest version. */

#ifndef HOTSLOT_HOST_H
#define HOTSLOT_HOST_H

#include <stddef.h>
#include <stdint.h>

/**
 * A setting is what it is by default.
 */
#define HOTSLOT_DEFAULT 0

/**
 * A setting is on.
 */
#define HOTSLOT_ON 1

/**
 * A setting is off.
 */
#define HOTSLOT_OFF 2

/**
 * Not optimised: code is ready soonest.
 */
#define HOTSLOT_OPT_O0 1

/**
 * Optimised a little.
 */
#define HOTSLOT_OPT_O1 2

/**
 * Optimised as release builds usually are: the default.
 */
#define HOTSLOT_OPT_O2 3

/**
 * Optimised as much as LLVM can.
 */
#define HOTSLOT_OPT_O3 4

/**
 * Calls between modules load their target from the slot: the default.
 */
#define HOTSLOT_CALL_SLOT 1

/**
 * Calls between modules go through stubs.
 */
#define HOTSLOT_CALL_STUB 2

/**
 * The version of this interface that the library has: `HOTSLOT_API_VERSION` of its header. A
 * library that has a higher one than the header fits as well.
 */
#define HOTSLOT_API_VERSION 1

/**
 * Bytes: by the first of them what it is; textual IR by its first line.
 */
#define HOTSLOT_SOURCE_DETECT 0

/**
 * Bytes: textual LLVM IR.
 */
#define HOTSLOT_SOURCE_IR 1

/**
 * Bytes: LLVM bitcode.
 */
#define HOTSLOT_SOURCE_BITCODE 2

/**
 * Bytes: a relocatable ELF object.
 */
#define HOTSLOT_SOURCE_OBJECT 3

/**
 * Bytes: a static archive, each member a module.
 */
#define HOTSLOT_SOURCE_ARCHIVE 4

/**
 * The file that `path` names, which is read at once.
 */
#define HOTSLOT_SOURCE_FILE 5

/**
 * What came of a call: `HOTSLOT_CODE_OK`, or the phase that failed. The numbers never change;
 * later versions may have more of them.
 */
typedef enum {
    /**
     * Nothing failed.
     */
    HOTSLOT_CODE_OK = 0,
    /**
     * A source could not be read: a missing file, an unreadable archive.
     */
    HOTSLOT_CODE_READ = 1,
    /**
     * A source was read but is not well formed.
     */
    HOTSLOT_CODE_PARSE = 2,
    /**
     * LLVM refused to verify, optimise or generate code for a module.
     */
    HOTSLOT_CODE_COMPILE = 3,
    /**
     * An object could not be placed: a relocation, a section, a TLS model.
     */
    HOTSLOT_CODE_LINK = 4,
    /**
     * A name has no definition, or not one of the kind asked for.
     */
    HOTSLOT_CODE_RESOLVE = 5,
    /**
     * A function exists, but not with the signature asked for.
     */
    HOTSLOT_CODE_SIGNATURE = 6,
    /**
     * The update itself makes no sense: a module loaded twice, an unknown module.
     */
    HOTSLOT_CODE_UPDATE = 7,
    /**
     * A variable no longer fits the storage that it has.
     */
    HOTSLOT_CODE_STORAGE = 8,
    /**
     * More replaced code is still held by threads than may be.
     */
    HOTSLOT_CODE_RECLAIM = 9,
    /**
     * The program came to no safe point in time.
     */
    HOTSLOT_CODE_SAFE_POINT = 10,
    /**
     * The reservation is full, or the operating system refused memory.
     */
    HOTSLOT_CODE_MEMORY = 11,
    /**
     * Generated code did something that the processor or the kernel refuses.
     */
    HOTSLOT_CODE_FAULT = 12,
    /**
     * A guarded call was ended from outside, or its time was over.
     */
    HOTSLOT_CODE_INTERRUPTED = 13,
    /**
     * The host lacks something hotslot needs (an architecture, a kernel feature).
     */
    HOTSLOT_CODE_HOST = 14,
    /**
     * A guarded call was ended where its code would have ended the process: `contain_aborts` of
     * `hotslot_options`.
     */
    HOTSLOT_CODE_ABORTED = 15,
    /**
     * A guarded call was ended by `hotslot_give_up`.
     */
    HOTSLOT_CODE_GIVEN_UP = 16,
    /**
     * An argument makes no sense: NULL where something must be, text that is not UTF-8, a
     * record that `hotslot_init` has not prepared, an unknown constant.
     */
    HOTSLOT_CODE_ARGUMENT = 100,
    /**
     * A bug in hotslot: it has panicked. Nothing is promised of the runtime any more but that
     * it can be freed. The panic's message was printed on stderr.
     */
    HOTSLOT_CODE_PANIC = 101
} hotslot_code;

/**
 * A module that has no name: what it defines is visible to nobody else, and it is freed when nobody
 * can be in its code any more.
 */
typedef struct hotslot_anonymous hotslot_anonymous;

/**
 * What failed, where, and what to do about it. Free it with `hotslot_error_free`. The texts that
 * its functions return stay for as long as the error does. Any thread may read it.
 */
typedef struct hotslot_error hotslot_error;

/**
 * The hooks of a runtime's code: callbacks around updates, safe points, and migrations that code
 * registers which includes the header of `hotslot_hooks_header`.
 */
typedef struct hotslot_hooks hotslot_hooks;

/**
 * Ends guarded calls that are running: a stop button. One may be that of several calls.
 */
typedef struct hotslot_interrupt hotslot_interrupt;

/**
 * An update that is compiled and linked, and that nobody can see yet.
 */
typedef struct hotslot_prepared hotslot_prepared;

/**
 * A source that is being made anew; see `hotslot_rebuild_fn`.
 */
typedef struct hotslot_rebuilt hotslot_rebuilt;

/**
 * A runtime: modules of generated code that call each other through one table. Any thread may use
 * it, and several at once.
 */
typedef struct hotslot_runtime hotslot_runtime;

/**
 * Any number of changes that take effect together: all of them, or none.
 */
typedef struct hotslot_update hotslot_update;

/**
 * The settings of a runtime. Prepare it with `hotslot_init`; what is left at 0 or NULL is the
 * default. Nothing in it has to stay after the call.
 */
typedef struct {
    /**
     * Bytes of this record, from `hotslot_init`.
     */
    size_t size;
    /**
     * How many bytes of address space to reserve for code, data and the table: 1 GiB by default,
     * at least 4 MiB, less than 2 GiB. Memory is used only as it is filled.
     */
    size_t arena_size;
    /**
     * How many bytes of replaced code threads may hold before updates are refused: a quarter of
     * the arena by default.
     */
    size_t retained_limit;
    /**
     * How much LLVM optimises IR and bitcode: `HOTSLOT_OPT_O0` to `HOTSLOT_OPT_O3`.
     */
    int opt_level;
    /**
     * `HOTSLOT_ON`, the default: what changes goes live unoptimised first, and is optimised by a
     * thread of the runtime's afterwards.
     */
    int tiered;
    /**
     * `HOTSLOT_ON`: functions of IR and bitcode are compiled on their first call. Off by default.
     */
    int lazy;
    /**
     * `HOTSLOT_ON`, the default: guarded calls end with an error where generated code faults.
     */
    int contain_faults;
    /**
     * `HOTSLOT_ON`: guarded calls end with an error where generated code would end the process: by
     * `abort`, a failed `assert`, `exit`, an exception that nothing catches before the guard. Off by
     * default.
     */
    int contain_aborts;
    /**
     * `HOTSLOT_ON`, the default: names that no module defines are looked up in the whole process:
     * the symbols that the host exports, and every library that it is linked with.
     */
    int process_symbols;
    /**
     * `HOTSLOT_ON`: gdb and lldb are told of code. Off by default.
     */
    int debugger;
    /**
     * `HOTSLOT_ON`: what is not compiled again is checked to be the same. Off by default.
     */
    int verify_diff;
    /**
     * `HOTSLOT_ON`, the default: a module that declares a function with another type than the one it
     * is defined with is refused, as far as both are known.
     */
    int check_declarations;
    /**
     * `HOTSLOT_CALL_SLOT` or `HOTSLOT_CALL_STUB`.
     */
    int call_form;
    /**
     * How many past generations of each module are kept to be returned to: 0 is the default, 4;
     * -1 is none.
     */
    int history;
    /**
     * How many threads may compile at once: as many as there are processors by default.
     */
    int compile_threads;
    /**
     * `HOTSLOT_ON`: `/tmp/perf-PID.map` is written for perf. Off by default.
     */
    int perf_map;
    /**
     * `HOTSLOT_ON`: the user's cache on disk is used, if `cache` does not name another. Off by
     * default.
     */
    int user_cache;
    /**
     * The folder of a cache on disk for compiled code.
     */
    const char *cache;
    /**
     * How many bytes the cache may take: 1 GiB by default.
     */
    uint64_t cache_limit;
    /**
     * A folder in which `jit-PID.dump` is written for perf.
     */
    const char *jit_dump;
    /**
     * The processor to generate code for, as LLVM names it: the host's own by default.
     */
    const char *cpu;
    /**
     * The program's arguments that the C library passes to constructors, its name first.
     */
    const char *const *arguments;
    /**
     * How many those are.
     */
    size_t arguments_count;
    /**
     * Names of functions of IR and bitcode that are entered once and stay, as `main` does: what
     * they call is not inlined, so that new versions of it reach them.
     */
    const char *const *entered_once;
    /**
     * How many those are.
     */
    size_t entered_once_count;
} hotslot_options;

/**
 * Makes a source anew, for when a function that it calls has changed its type. It is called on
 * the thread that makes the update, must not change the runtime, and returns after one call of
 * `hotslot_rebuilt_source` or `hotslot_rebuilt_failed` with `into`.
 */
typedef void (*hotslot_rebuild_fn)(void *context, hotslot_rebuilt *into);

/**
 * The code of a module. Prepare it with `hotslot_init`. The bytes are copied; nothing in it has
 * to stay after the call but what `rebuild` uses.
 */
typedef struct {
    /**
     * Bytes of this record, from `hotslot_init`.
     */
    size_t size;
    /**
     * What it is: one of `HOTSLOT_SOURCE_...`.
     */
    int kind;
    /**
     * Not 0: compile it in this process. IR and bitcode are compiled in a child process
     * otherwise, because LLVM's readers may crash on damaged input, and take the host along.
     */
    int trusted;
    /**
     * Not 0: load it only where something needs it, as a linker takes members of an archive.
     */
    int on_demand;
    /**
     * The bytes.
     */
    const void *bytes;
    /**
     * How many those are.
     */
    size_t length;
    /**
     * The file, if that is what it is.
     */
    const char *path;
    /**
     * The file name to use in errors, or NULL.
     */
    const char *label;
    /**
     * Makes it anew, or NULL: then a file is read again, and bytes are used again.
     */
    hotslot_rebuild_fn rebuild;
    /**
     * What `rebuild` is called with. It has to be there for as long as the module and its past
     * generations, and may be used by any thread.
     */
    void *rebuild_context;
} hotslot_source;

/**
 * A variable that has new storage, to be filled from the old. Later versions may have more fields.
 */
typedef struct {
    /**
     * Bytes of this record.
     */
    size_t size;
    /**
     * The module that defines it.
     */
    const char *module;
    /**
     * The variable's name as a symbol, or the section's where a compiler put several variables
     * into one.
     */
    const char *name;
    /**
     * Its bytes until now.
     */
    const void *old_bytes;
    /**
     * How many those are.
     */
    size_t old_size;
    /**
     * Its bytes from now on, which hold the new initial value; to be written.
     */
    void *new_bytes;
    /**
     * How many those are.
     */
    size_t new_size;
    /**
     * Where the old bytes are for code that is running.
     */
    uint64_t old_address;
    /**
     * Where the new ones will be.
     */
    uint64_t new_address;
} hotslot_moved;

/**
 * Fills a variable's new storage. It is called when the update is committed, before anything
 * changes, must return, and must not use the runtime.
 */
typedef void (*hotslot_migrate_fn)(void *context, const hotslot_moved *variable);

/**
 * A function of any type: cast it to its own before it is called.
 */
typedef void (*hotslot_fn)(void);

/**
 * The limits of a guarded call. Prepare it with `hotslot_init`.
 */
typedef struct {
    /**
     * Bytes of this record, from `hotslot_init`.
     */
    size_t size;
    /**
     * After how many milliseconds the call is ended; 0 is never.
     */
    uint64_t deadline_ms;
    /**
     * What ends the call from outside, or NULL. It has to stay for as long as the call.
     */
    hotslot_interrupt *interrupt;
} hotslot_call_options;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * The phase that failed. `HOTSLOT_CODE_OK` if `error` is NULL.
 */
hotslot_code hotslot_error_code(const hotslot_error *error);

/**
 * The whole story, with places and advice: one line for each problem that the error stands for.
 * Empty if `error` is NULL.
 */
const char *hotslot_error_text(const hotslot_error *error);

/**
 * What went wrong, without places and advice. Empty if `error` is NULL.
 */
const char *hotslot_error_message(const hotslot_error *error);

/**
 * What to do about it, or NULL.
 */
const char *hotslot_error_hint(const hotslot_error *error);

/**
 * The symbol that it is about, or NULL.
 */
const char *hotslot_error_symbol(const hotslot_error *error);

/**
 * The module that it is about, or NULL.
 */
const char *hotslot_error_module(const hotslot_error *error);

/**
 * The file that it is about, or NULL.
 */
const char *hotslot_error_file(const hotslot_error *error);

/**
 * Where generated code was when a guarded call of it was ended, one frame a line; or NULL if none
 * was.
 */
const char *hotslot_error_backtrace(const hotslot_error *error);

/**
 * Whether a guarded call was ended because its code called `exit`: 1 if so, and `*status` is what it
 * exited with; otherwise 0. `status` may be NULL.
 */
int hotslot_error_exit_code(const hotslot_error *error,
                            int *status);

/**
 * How many problems the error stands for: an update reports all that it finds. 0 if `error` is
 * NULL.
 */
size_t hotslot_error_count(const hotslot_error *error);

/**
 * One of these problems by its number from 0, which is `error` itself; NULL if there are not so
 * many. It is part of `error`, and not to be freed.
 */
const hotslot_error *hotslot_error_problem(const hotslot_error *error, size_t number);

/**
 * All of the error as JSON, to be freed with `hotslot_string_free`; NULL if `error` is NULL:
 * `code`, `message`, `text`, `hint`, `symbol`, `module`, `file`, `exit_code`, `fault`, and `others`,
 * a list of the same. `fault` is null, or an object: `signal`, 0 where there was none,
 * `signal_name`, `address`, `stack_overflow`, `in_allocator`, `frames`, `more_frames`,
 * `changed_before_us`.
 */
char *hotslot_error_json(const hotslot_error *error);

/**
 * Frees an error that a function of this header has stored. NULL is ignored.
 */
void hotslot_error_free(hotslot_error *error);

/**
 * Prepares a record of options: all of its `size` bytes become zero, which stands for the
 * defaults, and its first field, `size`, is set. A record that is not prepared is refused.
 *
 *     hotslot_options options;
 *     hotslot_init(&options, sizeof options);
 *
 * Without effect if `record` is NULL or `size` is smaller than a `size_t`.
 */
void hotslot_init(void *record, size_t size);

/**
 * Frees a string that a function of this header has returned or stored for its caller to free.
 * NULL is ignored.
 */
void hotslot_string_free(char *string);

/**
 * The version of the interface that the library has, see `HOTSLOT_API_VERSION`.
 */
uint32_t hotslot_api_version(void);

/**
 * The version of hotslot, as in `0.1.0`. It is not to be freed.
 */
const char *hotslot_version(void);

/**
 * The version of LLVM that is used, as in `19.1.7`; to be freed with `hotslot_string_free`. IR and
 * bitcode of a newer one may not be understood.
 */
char *hotslot_llvm_version(void);

/**
 * Makes a runtime, which is stored in `*runtime`; NULL is stored where that fails. `options` may
 * be NULL, for the defaults. Free it with `hotslot_runtime_free`.
 *
 * Fails with `HOTSLOT_CODE_HOST` on a processor other than x86-64, and with
 * `HOTSLOT_CODE_MEMORY` where the kernel refuses the reservation or lacks a feature.
 */
hotslot_code hotslot_runtime_new(const hotslot_options *options,
                                 hotslot_runtime **runtime,
                                 hotslot_error **error);

/**
 * Frees a runtime: destructors and exit handlers of its code run, and its memory is returned. No
 * thread may be in its code or use an address of it any more. Updates, prepared updates and
 * hooks of the runtime keep it alive until they are freed too. NULL is ignored.
 */
void hotslot_runtime_free(hotslot_runtime *runtime);

/**
 * Loads a module: an update of one. An archive becomes one module a member, named
 * `module(member)`. `report` may be NULL; otherwise it gets what was done, as JSON, to be freed
 * with `hotslot_string_free`.
 *
 * Fails as `hotslot_update_commit` does; then nothing has changed, and `*report` is NULL.
 */
hotslot_code hotslot_load(hotslot_runtime *runtime,
                          const char *module,
                          const hotslot_source *source,
                          char **report,
                          hotslot_error **error);

/**
 * Replaces a module: an update of one. Callers reach the new code with their next call; nobody is
 * stopped. Its variables keep their storage and value. For the rest as `hotslot_load`.
 */
hotslot_code hotslot_replace(hotslot_runtime *runtime,
                             const char *module,
                             const hotslot_source *source,
                             char **report,
                             hotslot_error **error);

/**
 * Removes a module: an update of one. A call of a function that nobody defines any more is an
 * error of the guarded call that it is in, and without one names the function and aborts. For
 * the rest as `hotslot_load`.
 */
hotslot_code hotslot_remove(hotslot_runtime *runtime,
                            const char *module,
                            char **report,
                            hotslot_error **error);

/**
 * Returns a module to a generation that is kept, see `hotslot_history`. Its variables keep their
 * value under the same rules as in a replacement. For the rest as `hotslot_load`.
 */
hotslot_code hotslot_rollback(hotslot_runtime *runtime,
                              const char *module,
                              uint64_t generation,
                              char **report,
                              hotslot_error **error);

/**
 * Takes the last update back: its modules return to the generations before, in one step. Called
 * again it takes back the one before. `*report` is NULL if there is none. For the rest as
 * `hotslot_load`.
 */
hotslot_code hotslot_undo(hotslot_runtime *runtime, char **report, hotslot_error **error);

/**
 * The same after a guarded call has ended with `cause`, and only if the last update is what to
 * blame: it brought the function at fault, took away the one that was called, or brought the
 * call. `*report` is NULL if it is not.
 */
hotslot_code hotslot_undo_cause(hotslot_runtime *runtime,
                                const hotslot_error *cause,
                                char **report,
                                hotslot_error **error);

/**
 * Waits until all functions that went live without optimisation have been optimised. Without
 * effect if `runtime` is NULL.
 */
void hotslot_settle(hotslot_runtime *runtime);

/**
 * Has no more functions optimised in the background from now on, and waits until that has come to
 * rest, `limit_ms` milliseconds at most. For the end of a process that does not free the runtime.
 */
void hotslot_stop_optimising(hotslot_runtime *runtime, uint64_t limit_ms);

/**
 * Says what a source is now. The record is as for `hotslot_load`; its own `rebuild` is ignored.
 *
 * Fails as reading or recognising a source does; then that is the update's error, too.
 */
hotslot_code hotslot_rebuilt_source(hotslot_rebuilt *into,
                                    const hotslot_source *source,
                                    hotslot_error **error);

/**
 * Says that a source cannot be made anew, and why: a compiler's message, say. The update fails.
 */
hotslot_code hotslot_rebuilt_failed(hotslot_rebuilt *into,
                                    const char *message,
                                    hotslot_error **error);

/**
 * Starts an update: nothing happens before `hotslot_update_commit`. NULL if `runtime` is NULL. Free
 * it with `hotslot_update_free`.
 */
hotslot_update *hotslot_update_new(hotslot_runtime *runtime);

/**
 * Frees an update; what was not committed does not happen. NULL is ignored.
 */
void hotslot_update_free(hotslot_update *update);

/**
 * Adds a new module. An archive becomes one module a member, named `module(member)`.
 */
hotslot_code hotslot_update_load(hotslot_update *update,
                                 const char *module,
                                 const hotslot_source *source,
                                 hotslot_error **error);

/**
 * Replaces a module. Its variables keep their storage and value where they still fit. Initialisers
 * and constructors run for new variables only.
 */
hotslot_code hotslot_update_replace(hotslot_update *update,
                                    const char *module,
                                    const hotslot_source *source,
                                    hotslot_error **error);

/**
 * Removes a module.
 */
hotslot_code hotslot_update_remove(hotslot_update *update,
                                   const char *module,
                                   hotslot_error **error);

/**
 * Returns a module to an earlier generation, see `hotslot_rollback`.
 */
hotslot_code hotslot_update_restore(hotslot_update *update,
                                    const char *module,
                                    uint64_t generation,
                                    hotslot_error **error);

/**
 * Adds `-l name`, see `hotslot_find_library`: it is looked for when the update is made. What is
 * shared is opened, whatever becomes of the update.
 */
hotslot_code hotslot_update_library(hotslot_update *update,
                                    const char *name,
                                    const char *const *directories,
                                    size_t count,
                                    hotslot_error **error);

/**
 * Names a symbol that is going to be asked for: what is loaded on demand and defines it is loaded.
 */
hotslot_code hotslot_update_want(hotslot_update *update,
                                 const char *symbol,
                                 hotslot_error **error);

/**
 * Compiles and links everything, then takes it back: tells whether `hotslot_update_commit` would
 * succeed. None of the update's code runs, and the update stays as it is.
 *
 * Fails as `hotslot_update_commit` does.
 */
hotslot_code hotslot_update_check(hotslot_update *update, hotslot_error **error);

/**
 * Prepares the update and commits it: everything happens, or nothing does. Constructors of new
 * modules run on this thread before it returns. `report` may be NULL; otherwise it gets what was
 * done, as JSON, to be freed with `hotslot_string_free`, or NULL. The update is empty afterwards,
 * in any case, but for what was said for the update as a whole: strict, rebuild, keep, reset and
 * migrate.
 *
 * Fails with the code of the first problem and all of them in the error: sources that do not parse
 * or compile, relocations that cannot be applied, names already in use or unknown, types and
 * variables that do not fit what stays, a full arena, too much code still held by threads.
 */
hotslot_code hotslot_update_commit(hotslot_update *update,
                                   char **report,
                                   hotslot_error **error);

/**
 * Makes the update fail, as a linker would, where one of its modules refers to a symbol that
 * nothing defines, or defines one that another module defines too.
 */
hotslot_code hotslot_update_strict(hotslot_update *update, hotslot_error **error);

/**
 * Has modules that were compiled against a function's old type, where the update changes it, made
 * anew from their sources and replaced in the same step. Without this the update is refused.
 */
hotslot_code hotslot_update_rebuild_callers(hotslot_update *update, hotslot_error **error);

/**
 * Has `hotslot_undo` never take back this update, nor what was committed before.
 */
hotslot_code hotslot_update_keep(hotslot_update *update, hotslot_error **error);

/**
 * Whether the update is refused with `HOTSLOT_CODE_STORAGE` if it gives a C++ table of virtual
 * functions another order: `keep` is not 0.
 */
hotslot_code hotslot_update_keep_tables(hotslot_update *update,
                                        int keep,
                                        hotslot_error **error);

/**
 * Lets a variable start anew, with its initial value, if it no longer fits its storage: another
 * size, alignment or type. Without a rule the update is refused.
 */
hotslot_code hotslot_update_reset(hotslot_update *update,
                                  const char *variable,
                                  hotslot_error **error);

/**
 * The same for every variable without a rule of its own.
 */
hotslot_code hotslot_update_reset_all(hotslot_update *update, hotslot_error **error);

/**
 * Has `migrate` called with `context` to fill a variable's new storage from the old, if it no
 * longer fits. Code that writes to the old storage afterwards writes in vain. Both have to stay
 * until the update, and what was prepared of it, are freed, and may be used by whatever thread
 * commits it.
 */
hotslot_code hotslot_update_migrate(hotslot_update *update,
                                    const char *variable,
                                    hotslot_migrate_fn migrate,
                                    void *context,
                                    hotslot_error **error);

/**
 * The same for every variable without a rule of its own.
 */
hotslot_code hotslot_update_migrate_all(hotslot_update *update,
                                        hotslot_migrate_fn migrate,
                                        void *context,
                                        hotslot_error **error);

/**
 * Compiles, links and checks everything. Nothing that anyone could observe changes; what was
 * prepared is stored in `*prepared`, or NULL. The update is empty afterwards, as after
 * `hotslot_update_commit`. Free what was prepared with `hotslot_prepared_free`.
 *
 * Fails as `hotslot_update_commit` does.
 */
hotslot_code hotslot_update_prepare(hotslot_update *update,
                                    hotslot_prepared **prepared,
                                    hotslot_error **error);

/**
 * Stores in `*report` what the update will do, as JSON, to be freed with `hotslot_string_free`.
 *
 * Fails with `HOTSLOT_CODE_UPDATE` if it has been committed already.
 */
hotslot_code hotslot_prepared_report(hotslot_prepared *prepared,
                                     char **report,
                                     hotslot_error **error);

/**
 * 1 if nothing was committed since it was prepared, so that `hotslot_prepared_commit` cannot
 * fail; otherwise 0.
 */
int hotslot_prepared_is_current(hotslot_prepared *prepared);

/**
 * Makes the update live: every function that changes does so in one step. Constructors of new
 * modules run on this thread before it returns. It can be tried once. `report` is as that of
 * `hotslot_update_commit`.
 *
 * Fails if another update was committed since it was prepared and it no longer fits, and with
 * `HOTSLOT_CODE_UPDATE` if it has been committed already.
 */
hotslot_code hotslot_prepared_commit(hotslot_prepared *prepared,
                                     char **report,
                                     hotslot_error **error);

/**
 * Frees what was prepared: if it was not committed, everything stays as it was. NULL is ignored.
 */
void hotslot_prepared_free(hotslot_prepared *prepared);

/**
 * The address of a function as generated code sees it: its stub, which stays the same over every
 * replacement and leads to the newest version. NULL where there is none.
 *
 * `type` is the function's LLVM type, as in `"i64 (ptr, i32)"`, or NULL. If it is given, and the
 * function came as IR or bitcode, it is compared with the function's own. Nothing keeps a later
 * update from giving the function another type: callers in the host have to know.
 *
 * Fails with `HOTSLOT_CODE_RESOLVE` for an unknown name, with `HOTSLOT_CODE_SIGNATURE` for another
 * type and for a variable.
 */
hotslot_fn hotslot_function(hotslot_runtime *runtime,
                            const char *name,
                            const char *type,
                            hotslot_error **error);

/**
 * The address of a variable: its storage. NULL where there is none. An update that gives the
 * variable another storage is told of in its report.
 *
 * Fails with `HOTSLOT_CODE_RESOLVE` for an unknown name and a thread-local variable.
 */
void *hotslot_data(hotslot_runtime *runtime, const char *name, hotslot_error **error);

/**
 * Defines a function of the host under `name`, for modules to call. To define it again redirects
 * every caller. It has to be of the type that modules declare it with, and stay for as long as
 * the runtime or until it is defined again. `type` is its LLVM type, as in `"i64 (ptr, i32)"`, or
 * NULL: if it is given, modules that take it for another one are refused.
 *
 * Names that the host's program exports need not be defined: they are found. An executable
 * exports its functions if it is linked with `-rdynamic`.
 */
hotslot_code hotslot_define_function(hotslot_runtime *runtime,
                                     const char *name,
                                     const char *type,
                                     hotslot_fn function,
                                     hotslot_error **error);

/**
 * Defines a variable of the host under `name`, for modules to use. It has to stay for as long as
 * the runtime.
 */
hotslot_code hotslot_define_data(hotslot_runtime *runtime,
                                 const char *name,
                                 void *data,
                                 hotslot_error **error);

/**
 * Opens a shared library, whose symbols modules can then use. Its constructors run before this
 * returns. It stays open for as long as the runtime.
 *
 * Fails with `HOTSLOT_CODE_READ` where the dynamic linker refuses it.
 */
hotslot_code hotslot_open_library(hotslot_runtime *runtime,
                                  const char *path,
                                  hotslot_error **error);

/**
 * Finds and opens a library as a linker does for `-l name`: in `count` `directories`, then in the
 * system's. Of a static one those members are loaded as modules that something loaded so far
 * needs.
 *
 * Fails with `HOTSLOT_CODE_RESOLVE` where there is none, and as opening and loading it do.
 */
hotslot_code hotslot_find_library(hotslot_runtime *runtime,
                                  const char *name,
                                  const char *const *directories,
                                  size_t count,
                                  hotslot_error **error);

/**
 * Calls `function` with `data`, and comes back with an error where generated code of `runtime`
 * cannot go on: a SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP that it causes, or a library that it
 * has called; a stack overflow of it; a call of a function that nothing defines; and where the
 * limits in `options`, which may be NULL, end the call.
 *
 * `function` is generated code, or a function of the host that calls generated code and does
 * nothing else: between them the call may be left as by `longjmp`. No destructor runs then, no
 * lock is released. A fault of the host's own code is not contained. It must not be left by
 * `longjmp`. An exception passes through, unless `contain_aborts` of `hotslot_options` is on: then one
 * that nothing catches before is an error, too, as `abort` and `exit` are.
 *
 * The first guarded call of a process takes the handlers of these signals; what is no fault of
 * generated code goes to those that there were.
 *
 * Fails with `HOTSLOT_CODE_FAULT`, `HOTSLOT_CODE_INTERRUPTED`, `HOTSLOT_CODE_ABORTED` and
 * `HOTSLOT_CODE_GIVEN_UP`, and with `HOTSLOT_CODE_RESOLVE` for a function that nothing defines. What the code has done until then is done.
 */
hotslot_code hotslot_call_guarded(hotslot_runtime *runtime,
                                  void (*function)(void *data),
                                  void *data,
                                  const hotslot_call_options *options,
                                  hotslot_error **error);

/**
 * Ends the innermost guarded call of `runtime` on this thread with `HOTSLOT_CODE_GIVEN_UP` and
 * `message`: for a function of the host that generated code has called, and that finds that there is
 * no going on. All frames in between are left as by `longjmp`. It comes back only where there is no
 * such call, and where an argument makes no sense.
 */
hotslot_code hotslot_give_up(hotslot_runtime *runtime,
                             const char *message,
                             hotslot_error **error);

/**
 * Makes a handle that no call has yet, stored in `*interrupt`; NULL is stored where that fails.
 * Free it with `hotslot_interrupt_free`.
 *
 * Fails with `HOTSLOT_CODE_HOST` where no thread can be started.
 */
hotslot_code hotslot_interrupt_new(hotslot_interrupt **interrupt, hotslot_error **error);

/**
 * Ends the calls that run under this handle at the moment, each with `HOTSLOT_CODE_INTERRUPTED`;
 * returns how many those are. It does not wait for that: generated code is ended wherever it is,
 * a library where it only waits, as in `sleep` or `read`; in anything else, as a function of the
 * host, it goes on until generated code is reached again. Calls that begin later are not
 * concerned. Any thread may call this, but no handler of a signal. 0 if it is NULL.
 */
size_t hotslot_interrupt_raise(hotslot_interrupt *interrupt);

/**
 * The same for handlers of signals, such as that of SIGINT: it is async-signal-safe. A thread of
 * hotslot's ends the calls a moment later, those included that have begun in between. NULL is
 * ignored.
 */
void hotslot_interrupt_raise_in_signal(hotslot_interrupt *interrupt);

/**
 * Frees a handle. Calls under it go on without. No handler of a signal may use it any more. NULL
 * is ignored.
 */
void hotslot_interrupt_free(hotslot_interrupt *interrupt);

/**
 * The modules loaded, in order of names, as a JSON list of objects: `name`, `generation`. `*json`
 * is to be freed with `hotslot_string_free`, here and below.
 */
hotslot_code hotslot_modules(hotslot_runtime *runtime, char **json, hotslot_error **error);

/**
 * Every symbol that something defines and that a module could refer to, in order of names, as a
 * JSON list of objects: `name`, `kind` (`function`, `variable`, `thread_local`), `origin` (`module`,
 * `host`, `builtin`, `library`), `module` and `generation`, which may be null, `signature`, the type
 * of a function as LLVM prints it, as far as it is known, and `size`. Of libraries those are listed
 * that somebody has asked for.
 */
hotslot_code hotslot_symbols(hotslot_runtime *runtime,
                             char **json,
                             hotslot_error **error);

/**
 * What modules get that refer to `name`, as such an object; `null`, as JSON, if nothing defines it, in
 * a library either.
 */
hotslot_code hotslot_symbol(hotslot_runtime *runtime,
                            const char *name,
                            char **json,
                            hotslot_error **error);

/**
 * Declarations of `count` names as text of LLVM IR, one a line: what a new module needs to use them.
 * Variables are declared as bytes.
 *
 * Fails with `HOTSLOT_CODE_RESOLVE` for what nothing defines, with `HOTSLOT_CODE_SIGNATURE` for
 * functions whose types are not known, as those of libraries.
 */
hotslot_code hotslot_declarations(hotslot_runtime *runtime,
                                  const char *const *names,
                                  size_t count,
                                  char **ir,
                                  hotslot_error **error);

/**
 * The generations of a module that are in memory, oldest first, as a JSON list of objects:
 * `number`, `live`, `source_hash`, `bytes`, `report`.
 *
 * Fails with `HOTSLOT_CODE_UPDATE` for an unknown module.
 */
hotslot_code hotslot_history(hotslot_runtime *runtime,
                             const char *module,
                             char **json,
                             hotslot_error **error);

/**
 * What the runtime holds and has done, as a JSON object of numbers.
 */
hotslot_code hotslot_stats(hotslot_runtime *runtime, char **json, hotslot_error **error);

/**
 * Frees the replaced generations that no thread is in or will return to, as updates do by
 * themselves now and then. `json` may be NULL, or gets an object: `generations`, `bytes`,
 * `pending_bytes`.
 */
hotslot_code hotslot_reclaim(hotslot_runtime *runtime, char **json, hotslot_error **error);

/**
 * The replaced generations that have not been freed, and what holds them, as a JSON list of
 * objects: `module`, `generation`, `bytes`, `holders`, `kept_because`.
 */
hotslot_code hotslot_pending(hotslot_runtime *runtime, char **json, hotslot_error **error);

/**
 * Loads a module without a name, for code that is run once, as a line that was typed at a prompt:
 * stored in `*module`, NULL where that fails. What it defines is visible to nobody else; what it does
 * not define it finds as any module does. It is in no list of modules and no history, and
 * `hotslot_undo` knows nothing of it. `report` is as that of `hotslot_load`. End it with
 * `hotslot_anonymous_free` or `hotslot_anonymous_keep`.
 *
 * Fails as `hotslot_update_commit` does, and with `HOTSLOT_CODE_UPDATE` for an archive.
 */
hotslot_code hotslot_anonymous_load(hotslot_runtime *runtime,
                                    const hotslot_source *source,
                                    hotslot_anonymous **module,
                                    char **report,
                                    hotslot_error **error);

/**
 * The address of a function of the module; for the rest as `hotslot_function`. It is valid until the
 * module is freed.
 */
hotslot_fn hotslot_anonymous_function(hotslot_anonymous *module,
                                      const char *name,
                                      const char *type,
                                      hotslot_error **error);

/**
 * The address of a variable of the module; for the rest as `hotslot_data`. It is valid until the
 * module is freed.
 */
void *hotslot_anonymous_data(hotslot_anonymous *module,
                             const char *name,
                             hotslot_error **error);

/**
 * Frees the object, and leaves the module loaded for as long as the runtime: somebody may have an
 * address of it on the heap, or in a variable of the host, where nobody looks for it. NULL is
 * ignored.
 */
void hotslot_anonymous_keep(hotslot_anonymous *module);

/**
 * Frees the object. The module's memory is freed once no thread is in its code, and no variable of a
 * module, register or stack holds an address of it. NULL is ignored.
 */
void hotslot_anonymous_free(hotslot_anonymous *module);

/**
 * The text of the header that code for hooks includes as `hotslot.h`, not to be confused with
 * this one, which is for hosts. It is not to be freed.
 */
const char *hotslot_hooks_header(void);

/**
 * Defines what that header refers to, and stores the hooks in `*hooks`; NULL where that fails. To
 * be called before code that uses it is loaded. Free them with `hotslot_hooks_free`.
 */
hotslot_code hotslot_hooks_install(hotslot_runtime *runtime,
                                   hotslot_hooks **hooks,
                                   hotslot_error **error);

/**
 * Says how many milliseconds an update waits for a safe point: 10,000 unless this is called.
 */
void hotslot_hooks_set_patience(hotslot_hooks *hooks, uint64_t patience_ms);

/**
 * What `hotslot_generation()` is for the code: 1, and one more with each update that goes through
 * the hooks. 0 if `hooks` is NULL.
 */
uint64_t hotslot_hooks_generation(hotslot_hooks *hooks);

/**
 * 1 if an update waits for a safe point, otherwise 0.
 */
int hotslot_hooks_is_waiting(hotslot_hooks *hooks);

/**
 * The program ends: no update waits for its safe point any more.
 */
void hotslot_hooks_close(hotslot_hooks *hooks);

/**
 * Prepares `update` and commits it where and when the code wants that: if it has safe points this
 * waits for one, on whose thread callbacks and constructors run; otherwise all of it happens
 * here. Variables that do not fit and that the code has a migration for are carried over. The
 * update is empty afterwards, as after `hotslot_update_commit`.
 *
 * Not to be called on a thread that is to come to a safe point. `applied` may be NULL, or gets an
 * object of JSON: `report`, `waited_us`, `generation`, and `failed`, why callbacks and
 * migrations did not come to their end, which stops no update.
 *
 * Fails as `hotslot_update_commit` does, and with `HOTSLOT_CODE_SAFE_POINT` if no safe point came in
 * time.
 */
hotslot_code hotslot_hooks_commit(hotslot_hooks *hooks,
                                  hotslot_update *update,
                                  char **applied,
                                  hotslot_error **error);

/**
 * Takes the last update back as `hotslot_undo` does, where and when the code wants that.
 * `*applied` is NULL if there is none.
 */
hotslot_code hotslot_hooks_undo(hotslot_hooks *hooks, char **applied, hotslot_error **error);

/**
 * Takes the last update back as `hotslot_undo_cause` does, at once and here. `*applied` is NULL if
 * it is not to blame.
 */
hotslot_code hotslot_hooks_undo_cause(hotslot_hooks *hooks,
                                      const hotslot_error *cause,
                                      char **applied,
                                      hotslot_error **error);

/**
 * Frees hooks. Code that has registered itself goes on as before, and hears of nothing any more.
 * NULL is ignored.
 */
void hotslot_hooks_free(hotslot_hooks *hooks);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* HOTSLOT_HOST_H */
