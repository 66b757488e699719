//! The architecture, enforced: which module may know which, where `unsafe` and
//! LLVM may appear, how long a file may get.
//!
//! The tables come first and are all that changes when the architecture does. A
//! new entry is a decision; write its reason in docs/architecture.md. How source
//! files are read is in `reader.rs`.

mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use reader::{Source, sources};

/// What each module at the top of `src/` may use of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("seeded", &[]),
    ("fault", &["error"]),
    ("fork_gate", &[]),
    ("memory", &["error"]),
    ("tls", &["error"]),
    ("unwind", &["tls"]),
    ("reclaim", &["error", "tls"]),
    ("faults", &["error", "unwind", "reclaim"]),
    ("process", &["error", "fork_gate", "tls"]),
    ("libraries", &["error", "process"]),
    ("builtins", &["tls", "reclaim", "faults"]),
    ("scoped", &[]),
    ("observe", &["error", "tls"]),
    ("cache", &[]),
    ("compile", &["error", "fork_gate", "scoped"]),
    ("table", &["error", "memory"]),
    ("link", &["error", "observe", "unwind", "memory", "tls", "scoped", "table"]),
    (
        "runtime",
        &[
            "error",
            "fork_gate",
            "observe",
            "unwind",
            "faults",
            "memory",
            "process",
            "libraries",
            "tls",
            "reclaim",
            "builtins",
            "cache",
            "compile",
            "table",
            "link",
        ],
    ),
    ("hooks", &["error", "runtime"]),
    // What it wraps is public. Besides it asks for a thread of its own to leave signals alone.
    ("capi", &["error", "faults", "observe", "reclaim", "cache", "compile", "runtime", "hooks"]),
];

/// What every module may use: deliberate bugs, and failures on demand, stand where the code is
/// that they break.
const ALL_MAY_USE: &[&str] = &["seeded", "fault"];

/// Names at the crate's root that are not modules, and the module each belongs to.
const ROOT_NAMES: &[(&str, &str)] =
    &[("Error", "error"), ("ErrorKind", "error"), ("Result", "error"), ("Runtime", "runtime")];

/// The command is a crate of its own (`src/main.rs`): it gets at the library
/// through `hotslot::` and so through what is public, which the compiler checks.
const COMMAND: &[&str] = &["main", "cli"];

/// The only files with `unsafe` in them.
const MAY_BE_UNSAFE: &[&str] = &[
    // Runs host functions in place of those the C library links statically.
    "builtins/mod.rs",
    // A lock held from one call of the C library to the next.
    "builtins/exits.rs",
    // Runs destructors of generated code, and starts its threads.
    "builtins/contexts.rs",
    "builtins/ends.rs",
    "builtins/thread_end.rs",
    "builtins/threads.rs",
    // Asks who the user is.
    "cache/location.rs",
    // Is called by C: reads and writes what it points to, and calls it.
    "capi/anonymous.rs",
    "capi/boundary.rs",
    "capi/calls.rs",
    "capi/error.rs",
    "capi/hooks.rs",
    "capi/interrupt.rs",
    "capi/options.rs",
    "capi/prepared.rs",
    "capi/queries.rs",
    "capi/rules.rs",
    "capi/runtime.rs",
    "capi/source.rs",
    "capi/symbols.rs",
    "capi/update.rs",
    // Enters the program's `main`.
    "cli/compare/process.rs",
    // Is called by the program with a function of its.
    "cli/crash.rs",
    // A handler in children of fork; signals read from a file.
    "cli/control/forks.rs",
    "cli/control/guard.rs",
    // Calls the program's `main`.
    "cli/enter.rs",
    // Is the program's `exit`, and registers exit handlers.
    "cli/exit.rs",
    // Asks the kernel what it can do.
    "cli/probe.rs",
    // Calls what was typed, and is called by it; a handler of SIGINT.
    "cli/repl/interrupts.rs",
    "cli/repl/machine.rs",
    // Reads memory that may not be there.
    "cli/repl/value/memory.rs",
    "cli/repl/value/tests.rs",
    // Forks, shares memory with the child, handles SIGINT.
    "cli/repl/supervisor.rs",
    // Restores signal dispositions.
    "cli/signals.rs",
    // Makes the process in which compilers are started.
    "cli/watch/helper.rs",
    // What hotslot is compared with: calls of code by address, LLJIT's and the loader's interfaces.
    "cli/ways/call.rs",
    "cli/ways/dynamic.rs",
    "cli/ways/loader.rs",
    "cli/ways/start_files.rs",
    // LLVM's C interface, where inkwell has no call.
    "compile/aliases.rs",
    "compile/assembly.rs",
    "compile/emit.rs",
    "compile/entries.rs",
    "compile/initialisers.rs",
    "compile/inlining.rs",
    "compile/ir.rs",
    "compile/labels.rs",
    "compile/llvm.rs",
    "compile/locals.rs",
    "compile/part.rs",
    "compile/redefine.rs",
    "compile/storage.rs",
    "compile/tests_locals.rs",
    "compile/thread_guards.rs",
    "compile/types.rs",
    // Compiles in a child process: fork, pipes, waiting for it.
    "compile/child.rs",
    "compile/isolate.rs",
    "compile/lasting.rs",
    "compile/tests_isolate.rs",
    // Handlers of signals: registers, stacks, the way out of a call.
    "faults/crash.rs",
    "faults/ends.rs",
    "faults/exceptions.rs",
    "faults/guard.rs",
    "faults/handler.rs",
    "faults/interrupt.rs",
    "faults/judge.rs",
    "faults/library.rs",
    "faults/thread.rs",
    // Is called by generated code, and calls it.
    "hooks/table.rs",
    // Maps and writes memory.
    "memory/backing.rs",
    "memory/os.rs",
    // The debuggers' interface: a list that they read, and a lock held over forks.
    "observe/entries.rs",
    "observe/gdb.rs",
    // A mapping that profilers notice, and the clock they use.
    "observe/jit_dump.rs",
    // The dynamic loader's interface.
    "process.rs",
    // Registers and stacks of threads, a signal's handler, the kernel's directory entries.
    "reclaim/threads/caller.rs",
    "reclaim/threads/choice.rs",
    "reclaim/threads/contexts.rs",
    "reclaim/threads/forks.rs",
    "reclaim/threads/memory.rs",
    "reclaim/threads/signal.rs",
    "reclaim/threads/stack.rs",
    "reclaim/threads/task.rs",
    "reclaim/threads/tests/mod.rs",
    "reclaim/threads/tests/rare.rs",
    "reclaim/threads/tests/stacks.rs",
    "reclaim/threads/tests/threads.rs",
    "reclaim/threads/waits.rs",
    // `unsafe fn`s of the public interface.
    "runtime/anonymous.rs",
    // Registers call frame information of published code.
    "runtime/commit.rs",
    // Asks the dynamic loader for names.
    "runtime/faulted.rs",
    // An `unsafe fn` of the public interface.
    "runtime/guarded.rs",
    // Calls resolvers, constructors and destructors.
    "runtime/entry.rs",
    // Typed handles: addresses as function pointers.
    "runtime/function.rs",
    // `unsafe fn`s of the public interface.
    "runtime/host.rs",
    // Locks held from one call of the C library to the next.
    "runtime/forks.rs",
    // Is called by generated code.
    "runtime/missing.rs",
    // `unsafe fn`s of the public interface.
    "runtime/mod.rs",
    // Blocks that generated code gets at by address.
    "tls/mod.rs",
    "tls/parts.rs",
    "tls/pool.rs",
    "tls/tests.rs",
    // Is called by generated code.
    "tls/access.rs",
    // A lock held from one call of the C library to the next.
    "tls/forkable.rs",
    // The unwinder's interface, the loader's, and stacks.
    "unwind/known.rs",
    "unwind/libraries.rs",
    "unwind/mod.rs",
    "unwind/walk.rs",
];

/// Where LLVM may be named: where hotslot compiles, and where the ways do that it is compared with.
const MAY_NAME_LLVM: &[&str] = &["compile/*", "cli/ways/*"];

/// Knows neither LLVM nor the rest of the crate; its tests do.
const BY_ITSELF: &str = "compile/bitcode/*";

/// Lines in a file, so that it stays one idea.
const MOST_LINES: usize = 450;

#[test]
fn modules_use_only_what_lies_below_them() {
    let known: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = String::new();
    for file in sources() {
        let module = file.module[0].as_str();
        if module == "lib" {
            continue;
        }
        let allowed = if COMMAND.contains(&module) {
            COMMAND
        } else if let Some(allowed) = known.get(module) {
            allowed
        } else {
            say(&mut wrong, &file, 0, &format!("module `{module}` is in no table"));
            continue;
        };
        for (line, used) in file.uses() {
            let owner = ROOT_NAMES
                .iter()
                .find(|(name, _)| *name == used)
                .map_or(used.as_str(), |(_, module)| *module);
            if owner != module && !allowed.contains(&owner) && !ALL_MAY_USE.contains(&owner) {
                let text = format!("`{module}` may not use `crate::{used}`");
                say(&mut wrong, &file, line, &text);
            }
        }
    }
    verdict(&wrong);
}

#[test]
fn the_table_has_no_cycles() {
    // Each module may use only modules named before it.
    let mut below = BTreeSet::new();
    for (module, allowed) in MAY_USE {
        for used in *allowed {
            assert!(below.contains(used), "`{module}` uses `{used}`, which is not below it");
        }
        below.insert(*module);
    }
}

#[test]
fn unsafe_is_where_it_is_expected() {
    let mut wrong = String::new();
    let mut seen = BTreeSet::new();
    for file in sources() {
        let place = MAY_BE_UNSAFE.iter().find(|place| file.is(place));
        // One finding a file is enough.
        let Some((line, _)) = file.words().find(|(_, word)| *word == "unsafe") else {
            continue;
        };
        match place {
            Some(place) => _ = seen.insert(*place),
            None => say(&mut wrong, &file, line, "`unsafe` outside the named files"),
        }
    }
    for place in MAY_BE_UNSAFE.iter().filter(|place| !seen.contains(*place)) {
        let _ = writeln!(wrong, "{place}: named as unsafe and is not");
    }
    verdict(&wrong);
}

#[test]
fn llvm_is_known_to_compile_only() {
    let mut wrong = String::new();
    for file in sources() {
        if MAY_NAME_LLVM.iter().any(|place| file.is(place)) {
            continue;
        }
        for (line, word) in file.words() {
            if word == "inkwell" || word == "llvm_sys" || word.starts_with("LLVM") {
                say(&mut wrong, &file, line, &format!("`{word}` outside src/compile"));
            }
        }
    }
    verdict(&wrong);
}

#[test]
fn bitcode_is_read_by_itself() {
    let mut wrong = String::new();
    let own = |file: &Source| file.is(BY_ITSELF) && !file.path.contains("/tests_");
    let files: Vec<Source> = sources().into_iter().filter(own).collect();
    assert!(files.len() > 5, "the test looks in the wrong place");
    for file in &files {
        for (line, word) in file.words() {
            if word == "inkwell" || word == "llvm_sys" || word == "unsafe" {
                say(&mut wrong, file, line, &format!("`{word}` where bitcode is read"));
            }
        }
        // `pub(crate)` is no use of the crate.
        for (number, text) in file.text.lines().enumerate() {
            if text.contains("crate::") || text.contains("super::super") {
                say(&mut wrong, file, number + 1, "bitcode is read without the rest of the crate");
            }
        }
    }
    verdict(&wrong);
}

#[test]
fn files_are_short_and_say_what_they_own() {
    let mut wrong = String::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > MOST_LINES {
            say(&mut wrong, &file, lines, &format!("more than {MOST_LINES} lines"));
        }
        if !file.text.starts_with("//! ") {
            say(&mut wrong, &file, 1, "does not start with `//! ` and what it owns");
        }
    }
    verdict(&wrong);
}

fn say(wrong: &mut String, file: &Source, line: usize, text: &str) {
    let _ = writeln!(wrong, "src/{}:{line}: {text}", file.path);
}

fn verdict(wrong: &str) {
    assert!(wrong.is_empty(), "the layering is broken:\n{wrong}");
}
