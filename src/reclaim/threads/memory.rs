//! Reading memory of this process that may vanish meanwhile.
//!
//! Other threads' stacks are unmapped when they end. The kernel is asked to copy, so that
//! what is gone is an answer and not a crash. It is asked by the number of this thread: the
//! process's own is its first thread's, which may have ended, and then has no memory. Owns that, and the list of mappings.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// Reads as many words from `at` as there are, and returns how many.
pub(super) fn read(at: u64, into: &mut [u64]) -> usize {
    let bytes = size_of_val(into);
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: bytes };
    let remote = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: bytes };
    // SAFETY: `into` is valid for writes of so many bytes, and any bytes are words. What is
    // at `at` is read by the kernel, which checks it.
    let done = unsafe { libc::process_vm_readv(this_thread(), &local, 1, &remote, 1, 0) };
    if done >= 0 {
        return done as usize / 8;
    }
    if matches!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
        return read_file(at, into);
    }
    0
}

/// The same where a filter forbids the call.
fn read_file(at: u64, into: &mut [u64]) -> usize {
    // Not kept: in a forked process it would still be the parent's.
    let Ok(memory) = File::open("/proc/thread-self/mem") else { return 0 };
    // SAFETY: the words as bytes, which they are valid as and stay valid with.
    let bytes = unsafe { std::slice::from_raw_parts_mut(into.as_mut_ptr().cast::<u8>(), size_of_val(into)) };
    memory.read_at(bytes, at).unwrap_or(0) / 8
}

/// Shows every word from `from` up to `to` with its address, until told to stop. Whether
/// all of them could be read.
pub(super) fn sweep(from: u64, to: u64, mut visit: impl FnMut(u64, u64) -> ControlFlow<()>) -> bool {
    const CHUNK: u64 = 4096;
    // Not on the stack, where what was read would be found later as words of this thread.
    let mut chunk = vec![0u64; CHUNK.min(to.saturating_sub(from) / 8 + 1) as usize];
    let mut at = from & !7;
    while at < to {
        let count = ((to - at) / 8).min(CHUNK) as usize;
        if count == 0 {
            break;
        }
        let done = read(at, &mut chunk[..count]);
        for (index, &word) in chunk[..done].iter().enumerate() {
            if visit(at + index as u64 * 8, word).is_break() {
                return true;
            }
        }
        if done < count {
            return false;
        }
        at += done as u64 * 8;
    }
    true
}

/// Memory that a stack can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub start: u64,
    pub end: u64,
    /// The stack that the kernel gave the process.
    pub main: bool,
}

/// Every mapping that can be read and written, in order. Those that touch are one, for a
/// stack whose pages have different settings.
#[derive(Clone, Default)]
pub(super) struct Mappings {
    joined: Vec<Mapping>,
    /// As the kernel has them.
    pub parts: Vec<Range<u64>>,
}

impl Mappings {
    pub(super) fn of_this_process() -> Option<Self> {
        Some(Self::parse(&std::fs::read_to_string("/proc/thread-self/maps").ok()?))
    }

    fn parse(text: &str) -> Self {
        let mut mappings = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some((start, end)) = words.next().and_then(|word| word.split_once('-')) else { continue };
            let (Ok(start), Ok(end)) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16)) else {
                continue;
            };
            if !words.next().is_some_and(|rights| rights.starts_with("rw")) {
                continue;
            }
            let main = words.nth(3) == Some("[stack]");
            mappings.parts.push(start..end);
            match mappings.joined.last_mut() {
                Some(last) if last.end == start && !last.main && !main => last.end = end,
                _ => mappings.joined.push(Mapping { start, end, main }),
            }
        }
        mappings
    }

    /// Called in signal handlers.
    pub(super) fn at(&self, address: u64) -> Option<Mapping> {
        let next = self.joined.partition_point(|mapping| mapping.start <= address);
        let mapping = *self.joined.get(next.checked_sub(1)?)?;
        (address < mapping.end).then_some(mapping)
    }

    pub(super) fn main_stack(&self) -> Option<Mapping> {
        self.joined.iter().copied().find(|mapping| mapping.main)
    }
}

/// Where glibc keeps a thread's number, relative to the thread pointer.
fn number_offset() -> Option<u64> {
    static FOUND: OnceLock<Option<u64>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let holds =
            |offset: u64| number_at(crate::tls::thread_pointer() as u64, offset) == Some(this_thread());
        // The first is where it is in every version so far since 2.10.
        std::iter::once(720).chain((512..1024).step_by(4)).find(|offset| holds(*offset))
    })
}

fn number_at(pointer: u64, offset: u64) -> Option<i32> {
    let at = pointer.checked_add(offset)?;
    let mut words = [0];
    (read(at & !7, &mut words) == 1).then(|| (words[0] >> ((at & 4) * 8)) as i32)
}

pub(super) fn this_thread() -> i32 {
    // SAFETY: asks a number.
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

/// Whether the thread pointer of `thread` is `pointer`: the words there are known. A thread
/// that glibc starts has it at the top of its stack.
pub(super) fn is_thread_pointer(pointer: u64, thread: i32) -> bool {
    let mut words = [0; 3];
    pointer.is_multiple_of(16)
        && read(pointer, &mut words) == 3
        && words[0] == pointer
        && words[2] == pointer
        && number_offset().is_some_and(|offset| number_at(pointer, offset) == Some(thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_that_touch_are_one() {
        let mappings = Mappings::parse(
            "1000-2000 rw-p 00000000 00:00 0 \n2000-3000 rw-p 00000000 00:00 0 \n3000-4000 r--p 0 0:0 0 \n\
             4000-5000 rw-p 00000000 00:00 0                          [heap]\n\
             7ffc000-7ffd000 rw-p 00000000 00:00 0                          [stack]\n",
        );
        assert_eq!((mappings.joined.len(), mappings.parts.len()), (3, 4));
        assert_eq!(mappings.at(0x2fff).map(|mapping| mapping.start), Some(0x1000));
        assert_eq!(mappings.at(0x3000), None);
        assert_eq!(mappings.at(0xfff), None);
        assert_eq!(mappings.main_stack().map(|mapping| mapping.start), Some(0x7ffc000));
    }

    #[test]
    fn memory_that_is_not_there_is_an_answer() {
        let mut words = [7; 4];
        assert_eq!(read(8, &mut words), 0);
        let there = [1u64, 2, 3, 4];
        assert_eq!(read(there.as_ptr() as u64, &mut words), 4);
        assert_eq!(words, there);
        words = [0; 4];
        assert_eq!(read_file(there.as_ptr() as u64, &mut words), 4);
        assert_eq!(words, there);
        assert_eq!(read_file(8, &mut words), 0);
        assert!(!sweep(0, 64, |_, _| ControlFlow::Continue(())));
    }

    #[test]
    fn a_thread_is_known_by_its_pointer() {
        let pointer = crate::tls::thread_pointer() as u64;
        assert!(is_thread_pointer(pointer, this_thread()));
        assert!(!is_thread_pointer(pointer, this_thread() + 1));
        assert!(!is_thread_pointer(pointer + 16, this_thread()));
    }
}
