//! What has ended and is still in memory: who may be in it, and when it goes.
//!
//! Owns the decision to free a generation. It is freed when no thread holds an address of
//! its code, which [`crate::reclaim`] finds out, no symbol leads there, and nothing about the
//! code says that its addresses may be where nobody looks. Unknown means keep.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Inner;
use super::escaped;
use super::generation::{Generation, Retired};
use super::state::State;
use super::variables::Left;
use crate::builtins;
use crate::error::{Error, ErrorKind, Result};
use crate::link::Image;
use crate::memory::Block;
use crate::reclaim::{Caller, Findings, ask_threads, thread_name};
use crate::seeded::{Bug, bug};
use crate::table::{GateMemory, Provider, SymbolId, Target};

/// A generation that is retired and not freed yet.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pending {
    /// The module.
    pub module: String,
    /// The number of the generation.
    pub generation: u64,
    /// Bytes of memory that it takes.
    pub bytes: usize,
    /// The threads that may still run it.
    pub holders: Vec<Holder>,
    /// What keeps it beside threads; empty if only those do. A generation that nothing keeps
    /// is freed by the next [`Runtime::reclaim`](super::Runtime::reclaim).
    pub kept_because: String,
}

/// A thread that holds an address of retired code.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Holder {
    /// The kernel's number of the thread; 0 for a suspended context of `makecontext`.
    pub thread: i32,
    /// The thread's name.
    pub name: String,
    /// The function that the address is in, and how many bytes behind its start.
    pub function: String,
    /// See `function`.
    pub offset: u64,
}

/// What [`Runtime::reclaim`](super::Runtime::reclaim) did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reclaimed {
    /// Generations freed.
    pub generations: usize,
    /// Bytes freed.
    pub bytes: usize,
    /// Bytes that are still held.
    pub pending_bytes: usize,
}

/// When to look again, in bytes retired.
pub(super) const FIRST_LOOK: usize = 256 << 10;
/// The same in pieces of code: a scan is worth while for many small ones, too.
pub(super) const MANY: usize = 256;

/// What has been taken out of the state to be freed if nobody is in it.
#[derive(Default)]
struct Candidates {
    retired: Vec<Retired>,
    gates: Vec<GateMemory>,
}

impl Inner {
    /// Frees what nobody can be in.
    pub(super) fn reclaim(&self, caller: &Caller) -> Reclaimed {
        let _one_at_a_time = self.reclaiming.lock();
        if self.arena.take_back().is_err() {
            return Reclaimed { pending_bytes: self.state.lock().retired_bytes, ..Reclaimed::default() };
        }
        let mut candidates = self.state.lock().take_candidates(self.dso.address());
        let mut unknown = false;
        let (held, freed) = if bug(Bug::FreeAtRetire) {
            (Candidates::default(), candidates)
        } else {
            let (ranges, owners) = candidates.ranges(&self.state.lock());
            let findings = self.ask(&ranges, caller);
            unknown = is_unknown(&findings);
            let (mut held, mut freed) = candidates.split(&findings, &owners);
            while self.hold_escaped(&mut held.retired, &mut freed.retired) {}
            (held, freed)
        };
        let mut result = Reclaimed::default();
        {
            let mut state = self.state.lock();
            for retired in &freed.retired {
                state.forget(retired, true);
                result.generations += 1;
                result.bytes += retired.layer.bytes();
            }
            result.bytes += freed.gates.iter().map(GateMemory::bytes).sum::<usize>();
            state.retired.splice(0..0, held.retired);
            state.gates.splice(0..0, held.gates);
        }
        self.free(freed);
        result.bytes += self.reclaim_variables(caller);
        let mut state = self.state.lock();
        state.count_retired();
        result.pending_bytes = state.retired_bytes;
        // Where threads could not be asked the next look may soon find more.
        let (bytes, count) = (state.retired_bytes, state.retired_count());
        (state.look_at, state.look_at_count) = if unknown { (bytes, count) } else { (bytes * 2, count * 2) };
        state.look_at = state.look_at.max(bytes + FIRST_LOOK);
        state.look_at_count += MANY;
        state.totals.reclaimed += result.generations as u64;
        state.totals.reclaimed_bytes += result.bytes as u64;
        result
    }

    /// Ends everything, newest first: the unwinder finds what it was told of last at once.
    fn free(&self, mut candidates: Candidates) {
        // Debuggers forget it first: one that takes a breakpoint out later would write to what
        // another thread has linked there by then.
        for retired in &mut candidates.retired {
            drop(retired.layer.image.shown.take());
        }
        let observers = self.state.lock().observers.clone();
        observers.sweep();
        while candidates.retired.pop().is_some() {}
    }

    /// Frees variables that nothing names and no thread holds.
    fn reclaim_variables(&self, caller: &Caller) -> usize {
        let left = self.state.lock().take_left(&builtins::objects_at_end(self.dso.address()));
        if left.is_empty() {
            return 0;
        }
        let mut all: Vec<(Range<u64>, usize)> = Vec::new();
        for (index, left) in left.iter().enumerate() {
            all.extend(left.ranges().into_iter().map(|range| (range, index)));
        }
        all.sort_by_key(|(range, _)| range.start);
        let (ranges, owners): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let findings = self.ask(&ranges, caller);
        let freed = self.state.lock().settle_left(left, &findings, &owners);
        freed.iter().map(Left::bytes).sum()
    }

    /// Asks every thread. Where one was seen on a stack that nobody knows there may be others
    /// like it, with suspended code on them, that no thread is on when it is asked.
    fn ask(&self, ranges: &[Range<u64>], caller: &Caller) -> Findings {
        let mut findings = ask_threads(ranges, caller);
        match findings.odd_stack {
            Some(thread) => self.odd_stack.store(thread, Ordering::Relaxed),
            None => findings.odd_stack = Some(self.odd_stack.load(Ordering::Relaxed)).filter(|t| *t != 0),
        }
        findings
    }

    /// Frees everything that is retired. That nobody is in it is the caller's promise.
    pub(super) fn free_retired(&self) {
        let _one_at_a_time = self.reclaiming.lock();
        if self.arena.take_back().is_err() {
            return;
        }
        let mut state = self.state.lock();
        let (retired, gates) = (std::mem::take(&mut state.retired), std::mem::take(&mut state.gates));
        for retired in &retired {
            state.forget(retired, false);
            state.totals.reclaimed += 1;
            state.totals.reclaimed_bytes += retired.layer.bytes() as u64;
        }
        drop(state);
        self.free(Candidates { retired, gates });
        let mut state = self.state.lock();
        let left = state.take_left(&Default::default());
        let left = state.settle_left(left, &Findings::default(), &[]);
        state.count_retired();
        drop(state);
        drop(left);
    }

    /// Frees what nobody can be in, if enough has been retired to be worth asking.
    pub(super) fn reclaim_if_due(&self, caller: &Caller) {
        let due = {
            let state = self.state.lock();
            state.retired_bytes >= state.look_at || state.retired_count() >= state.look_at_count
        };
        if due {
            self.reclaim(caller);
        }
    }

    /// Refuses to go on where more is retired than may be.
    pub(super) fn check_retained(&self, caller: &Caller) -> Result<()> {
        if self.state.lock().retired_bytes <= self.retained_limit {
            return Ok(());
        }
        let left = self.reclaim(caller).pending_bytes;
        if left <= self.retained_limit {
            return Ok(());
        }
        let names: Vec<String> = (self.pending(caller).into_iter().take(3))
            .map(|pending| format!("{} generation {}", pending.module, pending.generation))
            .collect();
        let message = format!(
            "{left} bytes of replaced code are still held, more than the {} allowed: {}",
            self.retained_limit,
            names.join(", "),
        );
        Err(Error::new(ErrorKind::Reclaim, message).hint(
            "Runtime::pending says by whom; let those threads leave it, or raise Builder::retained_limit",
        ))
    }

    /// What is retired, and who holds it.
    pub(super) fn pending(&self, caller: &Caller) -> Vec<Pending> {
        // Until it is released what is retired keeps its place; only more is added.
        let _one_at_a_time = self.reclaiming.lock();
        let mut candidates: Vec<(Range<u64>, usize)> = Vec::new();
        for (index, retired) in self.state.lock().retired.iter().enumerate() {
            candidates.extend(ranges(&retired.layer.image).map(|range| (range, index)));
        }
        candidates.sort_by_key(|(range, _)| range.start);
        let ranges: Vec<Range<u64>> = candidates.iter().map(|(range, _)| range.clone()).collect();
        let findings = self.ask(&ranges, caller);
        let state = self.state.lock();
        let exits = builtins::exit_handlers(self.dso.address());
        let mut pending: Vec<Pending> = (state.retired.iter())
            .map(|retired| Pending {
                module: retired.module.to_string(),
                generation: retired.number,
                bytes: retired.layer.bytes(),
                holders: Vec::new(),
                kept_because: state.keeps(retired, &exits).unwrap_or_default(),
            })
            .collect();
        for hit in &findings.hits {
            let index = candidates[hit.range].1;
            let function = state.retired[index].layer.image.functions.at(hit.address);
            let (function, offset) = function.map_or((String::new(), 0), |(f, at)| (f.to_owned(), at));
            let name = thread_name(hit.thread).unwrap_or_default();
            pending[index].holders.push(Holder { thread: hit.thread, name, function, offset });
        }
        for pending in &mut pending {
            if pending.kept_because.is_empty() && pending.holders.is_empty() {
                pending.kept_because = unknown(&findings);
            }
        }
        pending
    }
}

/// Where a word leads that keeps `image`: its code, and constants that end with it.
pub(super) fn ranges(image: &Image) -> impl Iterator<Item = Range<u64>> + '_ {
    image.code.iter().chain(&image.constants).map(Block::range)
}

/// Whether some thread may hold what it was not found to hold.
fn is_unknown(findings: &Findings) -> bool {
    !findings.silent.is_empty() || findings.odd_stack.is_some()
}

/// Why everything is kept, if it is.
fn unknown(findings: &Findings) -> String {
    match (findings.silent.first(), findings.odd_stack) {
        (Some(silent), _) => format!("thread {} could not be asked: {}", silent.thread, silent.why),
        (None, Some(thread)) => format!("thread {thread} was seen on a stack that is not known"),
        _ => String::new(),
    }
}

impl State {
    /// Keeps those layers of a generation that no other one has until nobody can be in them.
    pub(super) fn retire(&mut self, module: &Arc<str>, generation: Generation) {
        let number = generation.number;
        for layer in generation.layers {
            if let Ok(layer) = Arc::try_unwrap(layer) {
                self.retired_bytes += layer.bytes();
                self.retired.push(Retired { module: module.clone(), number, layer, anonymous: false });
            }
        }
    }

    /// The same for the gates of a commit.
    pub(super) fn retire_gates(&mut self, gates: Option<GateMemory>) {
        self.retired_bytes += gates.as_ref().map_or(0, GateMemory::bytes);
        self.gates.extend(gates);
    }

    /// Counts afresh: a variable that was shared may have become a generation's own.
    fn count_retired(&mut self) {
        let gates: usize = self.gates.iter().map(GateMemory::bytes).sum();
        let images: usize = self.retired.iter().map(|retired| retired.layer.bytes()).sum();
        self.retired_bytes = gates + images;
    }

    fn retired_count(&self) -> usize {
        self.retired.len() + self.gates.len()
    }

    /// Takes out what is kept by threads only.
    fn take_candidates(&mut self, dso: u64) -> Candidates {
        let exits = builtins::exit_handlers(dso);
        let (kept, retired) = std::mem::take(&mut self.retired)
            .into_iter()
            .partition(|retired| self.keeps(retired, &exits).is_some());
        self.retired = kept;
        Candidates { retired, gates: std::mem::take(&mut self.gates) }
    }

    /// What keeps a layer whatever the threads say. `exits` are the functions that are to run at
    /// the end.
    fn keeps(&self, retired: &Retired, exits: &[u64]) -> Option<String> {
        let layer = &retired.layer;
        if let Some(why) = layer.image.keeps
            && !bug(Bug::IgnoreKeeps)
        {
            return Some(why.reason().to_owned());
        }
        // Others wait for it by weak references.
        if Arc::strong_count(&layer.life) > 1 {
            return Some("its initialisers have not all run".to_owned());
        }
        let image = &layer.image;
        let runs_at_end = |id: SymbolId| exits.contains(&self.symbols.slots.stub(id.0));
        layer.defined.iter().find_map(|&id| {
            let symbol = self.symbols.get(id);
            if retired.anonymous {
                let name = symbol.plain_name();
                return runs_at_end(id).then(|| format!("{name} is to run at the end"));
            }
            if image.contains(self.symbols.slots.call(id.0)) && !symbol.is_local() {
                return Some(format!("calls of {} go there until its resolver has run", symbol.name));
            }
            let Target::Function(body) = symbol.retired()?.target else { return None };
            if !image.contains(body) || symbol.winner().is_some_and(|p| p.target != Target::Function(body)) {
                return None;
            }
            let name = symbol.plain_name();
            if symbol.is_local() {
                // One that is only called is needed by its module's code alone.
                let why = || format!("the address of {name} was taken, and nothing else defines it");
                return symbol.exposed.then(why);
            }
            runs_at_end(id).then(|| format!("{name} is to run at the end"))
        })
    }

    /// Forgets the names that only this used; its image is about to be freed. Functions are kept
    /// by name if somebody may have their address (`keep_functions`): the index of one must not
    /// become another's.
    fn forget(&mut self, retired: &Retired, keep_functions: bool) {
        let Retired { number, layer, .. } = retired;
        self.leave_variables(layer);
        let image = &layer.image;
        for &id in &layer.defined {
            let symbol = self.symbols.get_mut(id);
            symbol.pinned |= keep_functions && symbol.was_function() && !symbol.is_local();
            let last = symbol.rare().and_then(|rare| rare.last_owner.as_ref()).map(|(_, number)| *number);
            let ends = |retired: &Provider| match retired.target {
                Target::Function(body) => image.contains(body),
                // Variables have an end of their own.
                Target::Data(at) if image.storage_at(at).is_some() => false,
                Target::ThreadLocal(_) => false,
                _ => last == Some(*number),
            };
            if symbol.retired().is_some_and(ends) {
                symbol.drop_retired();
                if symbol.winner().is_none() {
                    let cells = self.symbols.settle(id);
                    self.symbols.store(id, cells);
                }
            }
        }
        // Words of its memory that wait would be written after that is somebody else's.
        for wanted in &layer.wanted {
            if let Some(rare) = self.symbols.get_mut(wanted.id).rare_if_any() {
                rare.pending.retain(|p| !image.owns(p.address));
            }
        }
        layer.release(&mut self.symbols);
    }
}

impl Candidates {
    /// The ranges to ask about, in order, and which candidate each belongs to; gates come
    /// after all generations.
    fn ranges(&self, state: &State) -> (Vec<Range<u64>>, Vec<usize>) {
        let mut all: Vec<(Range<u64>, usize)> = Vec::new();
        for (index, retired) in self.retired.iter().enumerate() {
            all.extend(ranges(&retired.layer.image).map(|range| (range, index)));
            if retired.anonymous {
                all.extend(escaped::ranges(state, &retired.layer).map(|range| (range, index)));
            }
        }
        for (index, gates) in self.gates.iter().enumerate() {
            all.push((gates.code_range(), self.retired.len() + index));
        }
        all.sort_by_key(|(range, _)| range.start);
        all.into_iter().unzip()
    }

    /// What is held, and what nobody is in.
    fn split(&mut self, findings: &Findings, owners: &[usize]) -> (Candidates, Candidates) {
        let mut held: Vec<bool> = vec![false; self.retired.len() + self.gates.len()];
        for hit in &findings.hits {
            held[owners[hit.range]] = true;
        }
        // Whoever is in a gate may still go to either body.
        let (images, gates) = held.split_at_mut(self.retired.len());
        for (gates, _) in self.gates.iter().zip(gates).filter(|(_, held)| **held && !bug(Bug::IgnoreKeeps)) {
            for (retired, held) in self.retired.iter().zip(&mut *images) {
                *held |= gates.targets().iter().any(|&body| retired.layer.image.contains(body));
            }
        }
        if is_unknown(findings) && !bug(Bug::IgnoreSilent) {
            held.fill(true);
        }
        let (mut stays, mut goes) = (Candidates::default(), Candidates::default());
        let mut held = held.into_iter();
        for retired in std::mem::take(&mut self.retired) {
            let to = if held.next() == Some(true) { &mut stays } else { &mut goes };
            to.retired.push(retired);
        }
        for gates in std::mem::take(&mut self.gates) {
            let to = if held.next() == Some(true) { &mut stays } else { &mut goes };
            to.gates.push(gates);
        }
        (stays, goes)
    }
}
