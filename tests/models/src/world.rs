//! What the models share: slots, gates, bodies, callers and the signals they answer.
//!
//! Owns how generated code behaves: what is one instruction, what a load may return, what
//! an interrupted thread says about itself. Knows nothing of what a model asserts. Loom runs
//! all threads of a model on one, so `Rc` will do for what they share.

use std::cell::Cell;
use std::rc::Rc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::publish::{Switch, Words, publish};

/// How callers load a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Loads {
    /// x86-64: with acquire order, and `call *slot(%rip)` loads and jumps in one instruction.
    Acquire,
    /// aarch64: plainly, into a register, and then a jump.
    Plain,
    /// Into a register as on aarch64 but with acquire order: few enough interleavings for
    /// models of what registers hold.
    Register,
}

/// A piece of memory that is used until it is freed. Loom notices a use that does not happen
/// before the free.
pub(crate) struct Memory {
    accesses: UnsafeCell<()>,
    freed: Cell<bool>,
}

impl Memory {
    fn new() -> Self {
        Self { accesses: UnsafeCell::new(()), freed: Cell::new(false) }
    }

    fn execute(&self) {
        self.accesses.with(|_| assert!(!self.freed.get(), "freed code is executed"));
    }

    pub(crate) fn free(&self) {
        if !self.freed.replace(true) {
            self.accesses.with_mut(|_| ());
        }
    }
}

/// Where a thread is, by the address in its program counter or in a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// In code that is never freed.
    Outside,
    /// In the bodies of this version.
    Body(usize),
    /// In the gates of the update that ends this version.
    Gates(usize),
}

const FIRST_GATE: u64 = 100;

impl Place {
    fn of(address: u64) -> Self {
        match address {
            0 => Place::Outside,
            FIRST_GATE.. => Place::Gates((address / FIRST_GATE - 1) as usize),
            _ => Place::Body(address as usize - 1),
        }
    }
}

pub(crate) fn body(version: usize) -> u64 {
    version as u64 + 1
}

fn gate(update: usize, slot: u32) -> u64 {
    FIRST_GATE * (update as u64 + 1) + u64::from(slot)
}

/// A thread that can be interrupted between two instructions. A signal asks it for its
/// registers; the system call behind [`Words::settle`] makes it go through a barrier.
pub(crate) struct Thread {
    asked: AtomicUsize,
    answered: AtomicUsize,
    /// Program counter and register at that time.
    answer: [AtomicU64; 2],
    done: Cell<usize>,
    pc: Cell<u64>,
    register: Cell<u64>,
}

const ENDED: usize = usize::MAX;

impl Thread {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            asked: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            answer: [AtomicU64::new(0), AtomicU64::new(0)],
            done: Cell::new(0),
            pc: Cell::new(0),
            register: Cell::new(0),
        })
    }

    /// Between two instructions.
    fn may_be_interrupted(&self) {
        let asked = self.asked.load(Ordering::Acquire);
        if asked > self.done.replace(asked) {
            self.answer[0].store(self.pc.get(), Ordering::Relaxed);
            self.answer[1].store(self.register.get(), Ordering::Relaxed);
            self.answered.store(asked, Ordering::Release);
        }
    }

    pub(crate) fn ends(&self) {
        self.answered.store(ENDED, Ordering::Release);
    }

    /// Asks the thread where it is. Without an answer by now: nothing. Not to wait loses
    /// nothing, for in another interleaving it has answered.
    pub(crate) fn interrupt(&self) -> Option<[Place; 2]> {
        let number = self.asked.fetch_add(1, Ordering::Release) + 1;
        let place = |word: &AtomicU64| Place::of(word.load(Ordering::Relaxed));
        match self.answered.load(Ordering::Acquire) {
            ENDED => Some([Place::Outside; 2]),
            answered if answered == number => Some([place(&self.answer[0]), place(&self.answer[1])]),
            _ => None,
        }
    }
}

/// An update that switches every slot from one version to another.
struct Update {
    word: AtomicU64,
    switches: Vec<Switch>,
    /// Slots that nobody could have called before.
    early: Vec<(u32, u64)>,
}

/// The table, its versions, and the updates that are prepared.
pub(crate) struct World {
    loads: Loads,
    slots: [AtomicU64; 2],
    pub(crate) bodies: Vec<Memory>,
    pub(crate) gates: Vec<Memory>,
    updates: Vec<Update>,
    threads: Vec<Rc<Thread>>,
}

impl World {
    /// Two slots that hold version 0, and one update for each pair of an old and a new version.
    pub(crate) fn new(loads: Loads, updates: &[(usize, usize)], threads: &[&Rc<Thread>]) -> Rc<Self> {
        Rc::new(Self::build(loads, updates, threads))
    }

    fn build(loads: Loads, updates: &[(usize, usize)], threads: &[&Rc<Thread>]) -> Self {
        let update = |(index, &(old, new)): (usize, &(usize, usize))| {
            let switch = |slot| Switch { slot, old: body(old), new: body(new), gate: gate(index, slot) };
            Update { word: AtomicU64::new(0), switches: vec![switch(0), switch(1)], early: Vec::new() }
        };
        let newest = updates.iter().map(|&(_, new)| new).max().unwrap_or(0);
        Self {
            loads,
            slots: [AtomicU64::new(body(0)), AtomicU64::new(body(0))],
            bodies: (0..=newest).map(|_| Memory::new()).collect(),
            gates: updates.iter().map(|_| Memory::new()).collect(),
            updates: updates.iter().enumerate().map(update).collect(),
            threads: threads.iter().map(|&thread| thread.clone()).collect(),
        }
    }

    /// As `new`, but the only update changes slot 0 and brings the function of slot 1.
    pub(crate) fn with_new_function(loads: Loads, threads: &[&Rc<Thread>]) -> Rc<Self> {
        let mut world = Self::build(loads, &[(0, 1)], threads);
        let fresh = world.updates[0].switches.pop().map(|switch| (switch.slot, switch.new));
        world.updates[0].early.extend(fresh);
        world.slots[1] = AtomicU64::new(0);
        Rc::new(world)
    }

    /// Commits an update. False when a thread was asked to go through a barrier and has not,
    /// as in a commit that is still under way.
    pub(crate) fn commit(&self, update: usize) -> bool {
        let stores = Stores { world: self, update, stuck: Cell::new(false) };
        let Update { early, switches, .. } = &self.updates[update];
        publish(&stores, early, switches);
        !stores.stuck.get()
    }

    /// A thread calls through a slot; gives the version it reached.
    pub(crate) fn call(&self, thread: &Thread, slot: usize) -> usize {
        self.between(thread);
        let order = if self.loads == Loads::Plain { Ordering::Relaxed } else { Ordering::Acquire };
        thread.register.set(self.slots[slot].load(order));
        if self.loads != Loads::Acquire {
            self.between(thread);
        }
        thread.pc.set(thread.register.replace(0));
        if let Place::Gates(update) = Place::of(thread.pc.get()) {
            let Update { word, switches, .. } = &self.updates[update];
            self.between(thread);
            self.gates[update].execute();
            let set = word.load(Ordering::Acquire) != 0;
            self.between(thread);
            self.gates[update].execute();
            let (old, new) = switches[slot].targets();
            thread.pc.set(if set { new } else { old });
        }
        self.between(thread);
        let Place::Body(version) = Place::of(thread.pc.get()) else { panic!("a call reaches no body") };
        self.bodies[version].execute();
        thread.pc.set(0);
        version
    }

    /// Only threads that the world knows are ever interrupted.
    fn between(&self, thread: &Thread) {
        if !self.threads.is_empty() {
            thread.may_be_interrupted();
        }
    }
}

struct Stores<'a> {
    world: &'a World,
    update: usize,
    stuck: Cell<bool>,
}

impl Words for Stores<'_> {
    fn store_call(&self, slot: u32, target: u64) {
        if !self.stuck.get() {
            self.world.slots[slot as usize].store(target, Ordering::Release);
        }
    }

    fn set_commit_word(&self, order: Ordering) {
        if !self.stuck.get() {
            self.world.updates[self.update].word.store(1, order);
        }
    }

    fn settle(&self) {
        if self.world.loads == Loads::Plain && !self.stuck.get() {
            let through = self.world.threads.iter().all(|thread| thread.interrupt().is_some());
            self.stuck.set(!through);
        }
    }
}

/// Runs a model through every interleaving, or those with at most so many preemptions.
pub(crate) fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}
