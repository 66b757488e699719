//! Telling debuggers and profilers of generated code.
//!
//! Owns what the host has asked for ([`Observers`]) and the way of an update: the linker makes a
//! [`piece`] of each image, [`marks`] puts the generation into its names, [`Update`] waits until the
//! update is committed, and [`Shown`] ends with the image. For debuggers [`elf`] makes a file of it,
//! [`entries`] keeps them few, [`gdb`] has the list; for profilers there are [`perf_map`] and
//! [`jit_dump`] with the [`lines`] of the source. Where nobody asked, none of it runs. Knows
//! nothing of modules and tables.

mod elf;
mod entries;
mod gdb;
mod jit_dump;
mod lines;
mod marks;
mod perf_map;
mod piece;

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use entries::Known;
pub(crate) use entries::survive_forks;
use jit_dump::JitDump;
use perf_map::PerfMap;
pub(crate) use piece::{Debug, Detail, Fixup, Function, Piece, SECTIONS, section_of};

/// What a profiler is told, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profiler {
    /// `/tmp/perf-PID.map`: names and addresses, for `perf report` by itself. What was said of
    /// code that has ended stays in it.
    PerfMap,
    /// `jit-PID.dump` in this folder: the code itself with names, source lines and the time when it
    /// came, for `perf inject --jit`.
    JitDump(PathBuf),
}

/// Who is told of code.
#[derive(Debug, Default)]
pub(crate) struct Observers {
    debugger: bool,
    map: Option<PerfMap>,
    dump: Option<JitDump>,
}

impl Observers {
    /// Opens the files of profilers. `stubs` is where calls between modules may go through.
    pub(crate) fn new(debugger: bool, profilers: &[Profiler], stubs: (u64, u64)) -> Result<Self> {
        let mut observers = Self { debugger, ..Self::default() };
        for profiler in profilers {
            match profiler {
                Profiler::PerfMap => observers.map = Some(PerfMap::open(stubs)?),
                Profiler::JitDump(folder) => observers.dump = Some(JitDump::open(folder)?),
            }
        }
        Ok(observers)
    }

    /// What the linker has to hand over; nothing where nobody asked.
    pub(crate) fn detail(&self) -> Option<Detail> {
        let any = self.debugger || self.map.is_some() || self.dump.is_some();
        any.then_some(Detail { debug: self.debugger || self.dump.is_some(), code: self.dump.is_some() })
    }

    /// Makes everything ready for an update of these images.
    pub(crate) fn prepare(&self, mut pieces: Vec<Option<Piece>>) -> Update {
        let mut update = Update::default();
        for piece in pieces.iter().flatten() {
            if self.map.is_some() {
                update.map.push_str(&perf_map::entries(piece));
            }
            if self.dump.is_some() {
                update.dump.push(jit_dump::Records::of(piece));
            }
        }
        if self.debugger {
            pieces.iter_mut().flatten().for_each(marks::mark);
            update.pieces = pieces.into_iter().map(|piece| piece.map(Arc::new)).collect();
            let all: Vec<Arc<Piece>> = update.pieces.iter().flatten().cloned().collect();
            update.file = if all.is_empty() { Vec::new() } else { elf::file(&all) };
        }
        update
    }

    /// Tells of an update that is about to be live. The result has one for each of its images.
    pub(crate) fn publish(&self, update: Update) -> Vec<Option<Shown>> {
        if let Some(map) = self.map.as_ref().filter(|_| !update.map.is_empty()) {
            map.add(&update.map);
        }
        if let Some(dump) = &self.dump {
            dump.add(&update.dump);
        }
        match self.debugger {
            true => {
                let known = entries::add(&update.pieces, update.file);
                known.into_iter().map(|known| known.map(Shown)).collect()
            }
            false => Vec::new(),
        }
    }

    /// To be called where images have ended: debuggers forget them.
    pub(crate) fn sweep(&self) {
        if self.debugger {
            entries::sweep();
        }
    }
}

/// What tools will be told of an update once it is committed.
#[derive(Default)]
pub(crate) struct Update {
    pieces: Vec<Option<Arc<Piece>>>,
    file: Vec<u8>,
    map: String,
    dump: Vec<jit_dump::Records>,
}

/// An image that debuggers know until this is dropped.
pub(crate) struct Shown(#[allow(dead_code, reason = "held")] Known);
