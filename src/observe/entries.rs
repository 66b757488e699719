//! Which images debuggers know of, and in how many files.
//!
//! Owns keeping files few: a debugger's work for a new one grows with those it has. An update is
//! one file, however many modules it has, and many small files become one. An image that ends is
//! taken out of its file before anything new can be at its addresses.
#![allow(unsafe_code)]

use std::sync::Arc;

use super::elf;
use super::gdb::Registered;
use super::piece::Piece;
use crate::tls::{Forkable, around_forks};

/// This many files of one size become one of the next.
const FEW: usize = 16;

struct Member {
    number: u64,
    piece: Arc<Piece>,
    ended: bool,
}

struct File {
    members: Vec<Member>,
    /// How often what is in it was put together.
    level: u32,
    #[allow(dead_code, reason = "held")]
    registered: Registered,
}

struct Entries {
    files: Vec<File>,
    next: u64,
    /// Some member has ended, and its file is known.
    stale: bool,
}

static ENTRIES: Forkable<Entries> = Forkable::new(Entries { files: Vec::new(), next: 0, stale: false });

/// An image that debuggers know until this is dropped.
pub(super) struct Known(u64);

/// Has the list survive forks.
pub(crate) fn survive_forks() {
    unsafe extern "C" fn before() {
        // SAFETY: a static.
        unsafe { ENTRIES.hold() };
    }
    unsafe extern "C" fn after() {
        // SAFETY: the C library calls `before` first, in the same thread.
        drop(unsafe { ENTRIES.release() });
    }
    around_forks(before, after, after);
}

/// Tells debuggers of the images of an update.
pub(super) fn add(pieces: &[Option<Arc<Piece>>], file: Vec<u8>) -> Vec<Option<Known>> {
    let entries = &mut *ENTRIES.lock();
    entries.sweep();
    let mut members = Vec::new();
    let known = pieces.iter().map(|piece| {
        let number = entries.next;
        entries.next += 1;
        let piece = piece.clone()?;
        members.push(Member { number, piece, ended: false });
        Some(Known(number))
    });
    let known = known.collect();
    if !members.is_empty() {
        entries.files.push(File { members, level: 0, registered: Registered::new(file) });
        entries.gather();
    }
    known
}

/// Takes out of their files what has ended.
pub(super) fn sweep() {
    ENTRIES.lock().sweep();
}

fn register(members: &[Member]) -> Registered {
    let pieces: Vec<Arc<Piece>> = members.iter().map(|member| member.piece.clone()).collect();
    Registered::new(elf::file(&pieces))
}

impl Entries {
    fn sweep(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        for file in std::mem::take(&mut self.files) {
            let is_stale = file.members.iter().any(|member| member.ended);
            let File { mut members, level, registered } = file;
            if !is_stale {
                self.files.push(File { members, level, registered });
                continue;
            }
            members.retain(|member| !member.ended);
            // Before the old one goes: no breakpoint is missing meanwhile.
            let anew = (!members.is_empty()).then(|| register(&members));
            drop(registered);
            self.files.extend(anew.map(|registered| File { members, level, registered }));
        }
    }

    /// Puts files together where there are many.
    fn gather(&mut self) {
        let mut level = 0;
        while self.files.iter().filter(|file| file.level == level).count() >= FEW {
            let (mut members, mut old) = (Vec::new(), Vec::new());
            for file in std::mem::take(&mut self.files) {
                if file.level == level {
                    members.extend(file.members);
                    old.push(file.registered);
                } else {
                    self.files.push(file);
                }
            }
            let registered = register(&members);
            drop(old);
            level += 1;
            self.files.push(File { members, level, registered });
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let entries = &mut *ENTRIES.lock();
        let mut all = entries.files.iter_mut().flat_map(|file| &mut file.members);
        if let Some(member) = all.find(|member| member.number == self.0) {
            member.ended = true;
            entries.stale = true;
        }
        // A file nobody needs goes at once; what is left of others waits for more to end.
        entries.files.retain(|file| !file.members.iter().all(|member| member.ended));
    }
}
