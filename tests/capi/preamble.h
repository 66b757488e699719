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
