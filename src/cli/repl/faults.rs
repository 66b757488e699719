//! Why an input's code did not come to its end, in a person's words.
//!
//! Owns the words and what of a backtrace is of interest: the session's own frames are not.

use std::fmt::Write as _;

use hotslot::{Error, ErrorKind, Fault, Frame};

use super::document::Document;
use super::syntax::{Kind, Space};
use super::text::RUN;
use crate::cli::failure::in_a_line;

/// The text of an error, a line or more.
pub fn told(error: &Error) -> String {
    if let (ErrorKind::Resolve, Some(symbol), Some(module)) = (error.kind(), error.symbol(), error.module()) {
        return format!("{symbol} is called by {module}, and was declared, but is not defined\n");
    }
    let Some(fault) = error.fault() else { return in_a_line(error) + "\n" };
    let place = fault.culprit().map_or_else(|| "the input's code".to_owned(), place);
    let mut text = format!("{} in {place}", what(error, fault));
    let inner = fault.frames.first().filter(|frame| frame.module.is_none() && fault.signal != libc::SIGABRT);
    if let Some(name) = inner.and_then(|frame| frame.function.as_deref())
        && fault.frames.iter().any(|frame| frame.module.is_some())
    {
        let _ = write!(text, ", in {name}, which it called");
    }
    text.push('\n');
    let mut callers = fault.clone();
    (callers.frames, callers.more_frames) = (frames(fault), false);
    if callers.frames.len() > 1 {
        text.push_str(&callers.backtrace());
    }
    text
}

/// Variables that are only declared, which may be why there was nothing at a small address.
pub fn absent<'d>(error: &Error, document: &'d Document, is_known: impl Fn(&str) -> bool) -> Vec<&'d str> {
    let fault = error
        .fault()
        .filter(|fault| fault.signal == libc::SIGSEGV && fault.address.is_some_and(|address| address < PAGE));
    let Some(fault) = fault else { return Vec::new() };
    let function = fault.culprit().and_then(|frame| frame.function.as_deref());
    let function = function.and_then(|name| document.symbol(name));
    let names = document.iter().filter(|one| one.kind == Kind::Prototype && !one.text.contains('('));
    let names = names.flat_map(|one| &one.defines).filter(|name| {
        // Of an input's own code it is not known any more what it used.
        name.space == Space::Ordinary
            && function.is_none_or(|function| function.uses.contains(name))
            && !is_known(&name.text)
    });
    names.map(|name| &*name.text).collect()
}

/// Addresses below it are those of nothing.
const PAGE: u64 = 0x1000;

/// What the processor or somebody else refused.
fn what(error: &Error, fault: &Fault) -> String {
    match (error.kind(), error.exit_code()) {
        (ErrorKind::Interrupted, _) if error.to_string().contains("the time for the call") => {
            return "ended by --limit".to_owned();
        }
        (ErrorKind::Interrupted, _) => return "interrupted".to_owned(),
        (ErrorKind::Aborted, Some(code)) => return format!("exit({code}) was called"),
        (ErrorKind::Aborted, None) if fault.signal == libc::SIGABRT => return aborted(fault),
        (ErrorKind::Aborted, None) => return "an exception that nothing catches was thrown".to_owned(),
        _ => {}
    }
    if fault.stack_overflow {
        return "stack overflow".to_owned();
    }
    match (fault.signal, fault.address) {
        (libc::SIGSEGV, Some(address @ 0..PAGE)) => {
            let near = if address == 0 { String::new() } else { format!(" (at {address:#x})") };
            format!("null pointer{near}: SIGSEGV")
        }
        (libc::SIGFPE, _) => "division by zero or overflow: SIGFPE".to_owned(),
        (libc::SIGILL, _) => "illegal instruction: SIGILL".to_owned(),
        (libc::SIGSEGV | libc::SIGBUS, Some(address)) => {
            format!("bad pointer {address:#x}: {}", fault.signal_name())
        }
        (libc::SIGSEGV | libc::SIGBUS, None) => format!("bad pointer: {}", fault.signal_name()),
        _ => fault.signal_name().to_owned(),
    }
}

/// What the session's code called itself says more than what that did in the end.
fn aborted(fault: &Fault) -> String {
    let own = fault.frames.iter().position(|frame| frame.module.is_some()).unwrap_or(0);
    let by = own.checked_sub(1).and_then(|at| fault.frames[at].function.as_deref());
    match by.unwrap_or("abort").trim_start_matches('_') {
        "assert_fail" => "an assertion failed: SIGABRT".to_owned(),
        by => format!("aborted by {by}: SIGABRT"),
    }
}

/// A function and where in the input it was.
fn place(frame: &Frame) -> String {
    let line = frame.line.as_ref().map(|(file, line)| format!("{}, line {line}", short(file)));
    match (frame.function.as_deref(), line) {
        (Some(RUN) | None, Some(line)) => line,
        (Some(RUN), None) => frame.module.as_ref().map_or("the input".to_owned(), |(name, _)| name.clone()),
        (Some(name), Some(line)) => format!("{name} ({line})"),
        (Some(name), None) => name.to_owned(),
        (None, None) => format!("{:#x}", frame.address),
    }
}

/// A place as it was named: compilers put a folder before it.
fn short(file: &str) -> &str {
    match file.rsplit_once('/') {
        Some((_, place)) if place.starts_with("input ") => place,
        _ => file,
    }
}

/// Down to the input that was run.
fn frames(fault: &Fault) -> Vec<Frame> {
    let is_last = |frame: &Frame| frame.function.as_deref() == Some(RUN) && frame.module.is_some();
    let last = fault.frames.iter().position(is_last).map_or(fault.frames.len(), |at| at + 1);
    let mut frames = fault.frames[..last].to_vec();
    for frame in &mut frames {
        if let Some((file, _)) = &mut frame.line {
            *file = short(file).to_owned();
        }
        // The module of a definition has its name.
        frame.module = frame.module.take().filter(|(name, _)| Some(name) != frame.function.as_ref());
        if frame.function.as_deref() == Some(RUN) {
            (frame.module, frame.function) = (None, Some("the input".to_owned()));
        }
    }
    frames
}
