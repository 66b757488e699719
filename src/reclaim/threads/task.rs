//! What the kernel tells about the threads of this process.
//!
//! Owns the reading of `/proc/self/task`; decides nothing.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;

use super::memory::this_thread;

/// What a thread is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    Running,
    /// It has no registers any more.
    Gone,
    /// The kernel does not say.
    Unreadable,
    /// It waits outside a system call, for a page.
    Outside,
    Blocked(Blocked),
}

/// The registers of a thread in a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Blocked {
    pub call: i64,
    pub arguments: [u64; 6],
    pub sp: u64,
    pub pc: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Status {
    /// The letter of its state.
    pub state: u8,
    pub blocked_signals: u64,
    /// How often it stopped running, of itself or not.
    pub switches: (u64, u64),
}

fn text_of(thread: i32, file: &str) -> Option<String> {
    let mut text = String::with_capacity(4096);
    let path = format!("/proc/self/task/{thread}/{file}");
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

/// The name that a debugger would show.
pub(crate) fn name(thread: i32) -> Option<String> {
    text_of(thread, "comm").map(|name| name.trim_end().to_owned())
}

/// `None` for a thread that is gone.
pub(super) fn status(thread: i32) -> Option<Status> {
    let text = text_of(thread, "status")?;
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let number = |name| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    Some(Status {
        state: field("State")?.bytes().next()?,
        blocked_signals: u64::from_str_radix(field("SigBlk")?, 16).ok()?,
        switches: (number("voluntary_ctxt_switches"), number("nonvoluntary_ctxt_switches")),
    })
}

pub(super) fn doing(thread: i32) -> Doing {
    match text_of(thread, "syscall") {
        Some(text) => parse_doing(&text).unwrap_or(Doing::Unreadable),
        None if exists(thread) => Doing::Unreadable,
        None => Doing::Gone,
    }
}

fn parse_doing(text: &str) -> Option<Doing> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?;
    if first == "running" {
        return Some(Doing::Running);
    }
    let call: i64 = first.parse().ok()?;
    let mut numbers = words.map_while(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let mut arguments = [0; 6];
    if call >= 0 {
        for argument in &mut arguments {
            *argument = numbers.next()?;
        }
    }
    let (sp, pc) = (numbers.next()?, numbers.next()?);
    // So it is with zombies, and with the kernel's own threads for this process.
    if sp == 0 && pc == 0 {
        return Some(Doing::Gone);
    }
    if call < 0 {
        return Some(Doing::Outside);
    }
    Some(Doing::Blocked(Blocked { call, arguments, sp, pc }))
}

/// Sends `signal`, or with 0 nothing. Whether there is such a thread.
pub(super) fn send(thread: i32, signal: i32) -> bool {
    // SAFETY: a signal to a thread of this process, with a handler of ours.
    let status = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
    status == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

pub(super) fn exists(thread: i32) -> bool {
    send(thread, 0)
}

/// All threads of the process at some moment of the call, and perhaps some that ended
/// or started during it.
pub(super) fn all() -> Option<Vec<i32>> {
    let mut buffer = vec![0u64; 4096];
    // The kernel walks a list of the threads, from the oldest to the newest. Where it stands
    // on one that ends meanwhile, it stops. So a list is whole if the last thread on it is
    // still there afterwards, and if it came in one piece.
    for _ in 0..1000 {
        match list(&mut buffer)? {
            Listed::Full => buffer.resize(buffer.len() * 2, 0),
            Listed::Part => {}
            // The numbers must be those that this process knows: `/proc` can be one of
            // another space of process numbers.
            Listed::All(threads) if !threads.contains(&this_thread()) => {
                if threads.last().is_none_or(|last| exists(*last)) {
                    return None;
                }
            }
            Listed::All(threads) if threads.last().is_some_and(|last| exists(*last)) => return Some(threads),
            Listed::All(_) => {}
        }
    }
    None
}

enum Listed {
    All(Vec<i32>),
    /// A thread was added meanwhile.
    Part,
    /// The buffer is too small.
    Full,
}

fn list(buffer: &mut [u64]) -> Option<Listed> {
    if fs::read_link("/proc/self").ok()?.to_str()?.parse() != Ok(std::process::id()) {
        return None;
    }
    let directory = File::open("/proc/self/task").ok()?;
    let size = size_of_val(buffer);
    let to = buffer.as_mut_ptr();
    let next = |to: *mut u64| {
        // SAFETY: the buffer is valid for writes of so many bytes.
        let length = unsafe { libc::syscall(libc::SYS_getdents64, directory.as_raw_fd(), to, size) };
        usize::try_from(length).ok()
    };
    let length = next(to)?;
    // SAFETY: words as bytes, of which the kernel wrote so many.
    let entries: &[u8] = unsafe { std::slice::from_raw_parts(to.cast(), length) };
    let threads = names(entries).filter_map(|name| std::str::from_utf8(name).ok()?.parse().ok()).collect();
    let more = next(to)?;
    Some(match more {
        0 => Listed::All(threads),
        _ if length + 4096 > size => Listed::Full,
        _ => Listed::Part,
    })
}

/// The names in directory entries as the kernel writes them: number, offset, length of the
/// entry, type, name.
fn names(mut entries: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u16::from_ne_bytes(entries.get(16..18)?.try_into().ok()?);
        let (entry, rest) = entries.split_at_checked(usize::from(length))?;
        entries = rest;
        entry.get(19..)?.split(|byte| *byte == 0).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(parse_doing("running\n"), Some(Doing::Running));
        assert_eq!(parse_doing("-1 0x7f00 0x5500\n"), Some(Doing::Outside));
        assert_eq!(parse_doing("-1 0x0 0x0\n"), Some(Doing::Gone));
        let blocked = Blocked { call: 7, arguments: [1, 2, 3, 4, 5, 6], sp: 0x7f00, pc: 0x5500 };
        assert_eq!(parse_doing("7 0x1 0x2 0x3 0x4 0x5 0x6 0x7f00 0x5500\n"), Some(Doing::Blocked(blocked)));
        assert_eq!(parse_doing("7 0x1 0x2"), None);
        assert_eq!(parse_doing(""), None);
    }

    #[test]
    fn this_thread_is_listed_and_running() {
        let this = this_thread();
        assert!(all().unwrap().contains(&this));
        // It says of itself that it reads.
        assert!(matches!(doing(this), Doing::Blocked(Blocked { call: libc::SYS_read, .. })));
        assert_eq!(status(this).unwrap().state, b'R');
        assert!(name(this).is_some());
        assert!(exists(this) && !exists(i32::MAX));
        assert_eq!(doing(i32::MAX), Doing::Gone);
        assert_eq!(status(i32::MAX), None);
    }
}
