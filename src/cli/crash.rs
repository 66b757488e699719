//! What happens when the program crashes: the report, and the way back to the code before.
//!
//! Owns `--on-crash`, the words of the report, and the call that a program can make to survive
//! a crash (`hotslot_guarded`). How faults are caught and named is the library's.
#![allow(unsafe_code)] // is called by the program with a function of its

use std::ffi::{c_int, c_void};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

use clap::{Args, ValueEnum};
use hotslot::{Applied, Error, ErrorKind, Fault, Runtime};

use super::failure::{Failure, in_a_line};
use super::{hooks, names, watch};

/// `--on-crash`.
#[derive(Debug, Args)]
pub struct CrashOptions {
    /// When the program crashes: say where, or nothing. It ends as without hotslot, but for what it
    /// calls by hotslot_guarded: after that it goes on, with `rollback` without the last update
    #[arg(long, value_name = "WHAT", default_value = "report")]
    pub on_crash: OnCrash,
}

/// What a crash leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnCrash {
    /// Print function, line and backtrace to stderr
    Report,
    /// The same, and undo the last update if that brought what crashed, and the program goes on
    Rollback,
    /// Nothing: the program ends as if hotslot was not there
    Exit,
}

/// What the program's calls of `hotslot_guarded` need.
struct Session {
    runtime: Runtime,
    policy: OnCrash,
}

static SESSION: OnceLock<Session> = OnceLock::new();

/// Watches for crashes of the program from now on. To be called after the program's signal
/// dispositions are as it expects them, and before any of its code is loaded.
pub fn prepare(runtime: &Runtime, options: &CrashOptions) -> Result<(), Failure> {
    let session = Session { runtime: runtime.clone(), policy: options.on_crash };
    let policy = options.on_crash;
    // There is one caller.
    let _ = SESSION.set(session);
    // SAFETY: the type that hotslot.h declares; a function of this process.
    unsafe { runtime.define_function("hotslot_guarded", guarded as *const c_void)? };
    if policy != OnCrash::Exit {
        // To undo the update as well would be in vain: the program ends.
        runtime.report_crashes(move |fault| {
            say(&report(fault));
            watch::crashed(told(fault, false));
        })?;
    }
    Ok(())
}

/// `int hotslot_guarded(void (*function)(void *), void *data)`: calls the function; 1 if it crashed,
/// 0 if it returned.
unsafe extern "C-unwind" fn guarded(
    function: unsafe extern "C-unwind" fn(*mut c_void),
    data: *mut c_void,
) -> c_int {
    let Some(session) = SESSION.get() else {
        // SAFETY: what the program has asked for.
        unsafe { function(data) };
        return 0;
    };
    // SAFETY: the program's word that its function bears this.
    let result = unsafe { session.runtime.guarded_call(function, data) };
    result.map_or_else(|error| crashed(session, &error), |()| 0)
}

/// Says which callbacks of the program an update has called in vain.
pub fn callbacks_failed(applied: &Applied) {
    for error in applied.failed.iter().filter(|error| error.kind() != ErrorKind::Storage) {
        say(&format!("hotslot: a callback was given up, and the update went on: {}\n", in_a_line(error)));
    }
}

/// What of the program's state an update has not carried over.
pub fn lost(applied: &Applied) -> impl Iterator<Item = &Error> {
    applied.failed.iter().filter(|error| error.kind() == ErrorKind::Storage)
}

fn crashed(session: &Session, error: &Error) -> c_int {
    if session.policy != OnCrash::Exit {
        match error.fault() {
            Some(fault) => say(&report(fault)),
            None => say(&names::readable(&format!("hotslot: {}\n", in_a_line(error)))),
        }
    }
    let rolled_back = session.policy == OnCrash::Rollback && roll_back(&session.runtime, error);
    if let Some(fault) = error.fault() {
        watch::crashed(told(fault, rolled_back));
    }
    1
}

/// What the events say of it.
fn told(fault: &Fault, rolled_back: bool) -> watch::Crash {
    let culprit = fault.culprit();
    let module = culprit.and_then(|frame| frame.module.clone());
    let (module, generation) = module.unzip();
    let place = culprit.and_then(|frame| frame.line.as_ref()).map(|(file, line)| format!("{file}:{line}"));
    watch::Crash {
        signal: fault.signal_name().to_owned(),
        function: culprit.and_then(|frame| frame.function.clone()),
        module,
        generation,
        place,
        changed_last: fault.changed_before.is_some(),
        rolled_back,
        backtrace: fault.frames.iter().map(ToString::to_string).collect(),
    }
}

/// Whether the last update was undone, which it is if it brought what crashed. The program is told
/// by its hooks, on this thread: it need not come to a safe point any more.
fn roll_back(runtime: &Runtime, error: &Error) -> bool {
    let undone = match hooks::of_program() {
        Some(hooks) => hooks.undo_cause(error).map(|applied| {
            applied.map(|applied| {
                callbacks_failed(&applied);
                lost(&applied).for_each(|lost| say(&format!("hotslot: {lost}\n")));
                applied.report
            })
        }),
        None => runtime.undo_cause(error),
    };
    let back = matches!(undone, Ok(Some(_)));
    match undone {
        Ok(Some(report)) => {
            let mut names: Vec<String> =
                report.modules.iter().map(|m| format!("{} v{}", m.name, m.generation)).collect();
            names.extend(report.removed.iter().map(|name| format!("{name} removed")));
            say(&format!("hotslot: the last update is undone: {}\n", names.join(", ")));
        }
        Ok(None) => say("hotslot: there is no update to undo that is to blame\n"),
        Err(error) => say(&format!("hotslot: the last update cannot be undone: {}\n", in_a_line(&error))),
    }
    back
}

/// The report of a crash.
pub fn report(fault: &Fault) -> String {
    let mut text = String::from("hotslot: the program crashed: ");
    let what = if fault.stack_overflow { "stack overflow" } else { fault.signal_name() };
    text.push_str(what);
    // Of a stack overflow it is somewhere in the stack.
    if let Some(address) = fault.address.filter(|_| !fault.stack_overflow) {
        let _ = write!(text, " at address {address:#x}");
    }
    if let Some(culprit) = fault.culprit() {
        let _ = write!(text, " in {culprit}");
    }
    text.push('\n');
    if let Some(ago) = fault.changed_before {
        let _ = writeln!(text, "  this function was changed by the last update, {} ms ago", ago.as_millis());
    }
    text.push_str(&fault.backtrace());
    names::readable(&text).into_owned()
}

/// In one piece, as other threads may be printing.
fn say(text: &str) {
    // Nobody is left to tell when stderr itself is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
