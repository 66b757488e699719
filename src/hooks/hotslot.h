/* hotslot.h: what a program can say to hotslot, and hear from it, while its code changes.
 *
 * All of it is optional. Under `hotslot run` this header is found by `#include <hotslot.h>`
 * without any flag; elsewhere `hotslot header` prints it. The same object file works with and
 * without hotslot: natively every function here does nothing, needs no library, and says so by
 * its result. For C99 and later, C++11 and later, gcc and clang. */
#ifndef HOTSLOT_H
#define HOTSLOT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called around an update, with the generation that the program has then. It must return: no
 * longjmp, no exception. It may call anything here. One that crashes ends there, as by
 * hotslot_guard; that is told, and the update goes on. */
typedef void (*hotslot_callback)(unsigned long generation, void *context);

/* Fills the new storage of a variable, which holds its new initial value, from the old bytes. */
typedef void (*hotslot_migration)(void *new_storage, size_t new_size, const void *old_bytes,
                                  size_t old_size, void *context);

/* What follows is between this header and hotslot. */
struct hotslot_hooks_v1 {
    void *self;
    unsigned long (*generation)(void *self);
    int (*safe_point)(void *self);
    int (*add)(void *self, int after, hotslot_callback function, void *context);
    int (*remove)(void *self, hotslot_callback function, void *context);
    int (*migrate)(void *self, const char *variable, hotslot_migration function, void *context);
};
extern const struct hotslot_hooks_v1 hotslot_hooks_v1 __attribute__((weak));

extern int hotslot_guarded(void (*function)(void *), void *data) __attribute__((weak));

#define HOTSLOT_INLINE_ static __inline__ __attribute__((unused))

/* Whether the program runs under hotslot. */
HOTSLOT_INLINE_ int hotslot_is_there(void) { return &hotslot_hooks_v1 != NULL; }

/* The generation of the program: 1 from its start, one more with every update that went live, an
 * undone one included. It never goes down. 0 natively. */
HOTSLOT_INLINE_ unsigned long hotslot_generation(void) {
    return hotslot_is_there() ? hotslot_hooks_v1.generation(hotslot_hooks_v1.self) : 0;
}

/* A place where an update may happen: no function that it could change is in the middle of
 * something, no data is half done. From the first call on updates happen here only, on the thread
 * that calls, and are refused if it does not come by in time. Costs a few loads where nothing
 * waits. Returns 1 if an update happened, 0 if not, and natively. */
HOTSLOT_INLINE_ int hotslot_safe_point(void) {
    return hotslot_is_there() ? hotslot_hooks_v1.safe_point(hotslot_hooks_v1.self) : 0;
}

/* Has `function` called before every update goes live (old code runs), or after (new code, if it
 * is of a changed function). In the order in which they were added. On the thread of the safe
 * point, if the program has one; else on a thread of hotslot's, beside the program. Returns 1;
 * natively 0. */
HOTSLOT_INLINE_ int hotslot_before_update(hotslot_callback function, void *context) {
    return hotslot_is_there() ? hotslot_hooks_v1.add(hotslot_hooks_v1.self, 0, function, context) : 0;
}
HOTSLOT_INLINE_ int hotslot_after_update(hotslot_callback function, void *context) {
    return hotslot_is_there() ? hotslot_hooks_v1.add(hotslot_hooks_v1.self, 1, function, context) : 0;
}

/* Ends that for `function` with this `context`. Returns how many registrations there were. */
HOTSLOT_INLINE_ int hotslot_forget(hotslot_callback function, void *context) {
    return hotslot_is_there() ? hotslot_hooks_v1.remove(hotslot_hooks_v1.self, function, context) : 0;
}

/* Has `function` carry the global or static variable of this name over whenever an update gives it
 * another size, alignment or type, which is refused otherwise. It is called when the update has
 * just gone live, before the callbacks of `hotslot_after_update`, and in its new version: so the
 * edit that changes the type can bring the code for it. A null `function` ends it. Returns 1;
 * natively 0. */
HOTSLOT_INLINE_ int hotslot_migrate(const char *variable, hotslot_migration function, void *context) {
    return hotslot_is_there()
               ? hotslot_hooks_v1.migrate(hotslot_hooks_v1.self, variable, function, context)
               : 0;
}

/* Calls `function`, and comes back from it if it crashes: 1 if it did, 0 if it returned. With
 * `--on-crash rollback` the last update is undone then, if it brought what crashed. Nothing
 * between the crash and this call is tidied up: no destructor runs, no lock is released. Natively
 * it is a plain call. */
HOTSLOT_INLINE_ int hotslot_guard(void (*function)(void *data), void *data) {
    if (&hotslot_guarded != NULL)
        return hotslot_guarded(function, data);
    function(data);
    return 0;
}

/* The same as hotslot_migrate without being called first: a global function of this name that an update brings, or
 * that is there, is used for the variable. Its context is null.
 *
 *   HOTSLOT_MIGRATION(particles)(void *now, size_t now_size, const void *old, size_t old_size,
 *                                void *context) { ... } */
#ifdef __cplusplus
#define HOTSLOT_MIGRATION(variable) extern "C" void hotslot_migrate_##variable
#else
#define HOTSLOT_MIGRATION(variable) void hotslot_migrate_##variable
#endif

#ifdef __cplusplus
}
#endif

#endif
