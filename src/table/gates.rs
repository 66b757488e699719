//! The gates of an update: their memory, and the stores of its commit.
//!
//! Owns the blocks that hold the gates and the commit word, from prepare until no thread can
//! be inside. It deliberately knows nothing of which symbols an update changes, and leaves
//! the order of the stores to [`publish`](super::publish).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use runtime_stubs::{Arch, GATE_SIZE};

use super::publish::{Switch, Words, needs_gates, publish};
use super::slots::Slots;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Arena, Block, Space};
use crate::seeded::{Bug, bug};

/// What an update changes in the slots, ready to be committed.
pub(crate) struct Gates {
    arena: Arc<Arena>,
    switches: Vec<Switch>,
    memory: Option<Memory>,
}

/// What a thread may be in after the commit: kept until nobody is. Dropping it frees it.
pub(crate) struct Memory {
    /// Where they lead.
    targets: Box<[u64]>,
    gates: Block,
    /// Among the constants, not behind the gates: a store to a line that a core has fetched
    /// instructions from makes it start over.
    word: Block,
}

impl Gates {
    /// Makes the gates for `switches`, whose `gate` is filled in here. Writes nothing that
    /// a thread can reach. Whoever calls this publishes the arena before the commit.
    pub(crate) fn prepare(arena: &Arc<Arena>, mut switches: Vec<Switch>) -> Result<Self> {
        let mut memory = None;
        crate::fault::step("gates")?;
        if needs_gates(switches.len()) {
            let gates = arena.allocate(Space::Code, switches.len() * GATE_SIZE, GATE_SIZE_ALIGN)?;
            let word = arena.allocate(Space::ReadOnly, size_of::<u64>(), align_of::<u64>())?;
            word.fill(&0u64.to_le_bytes());
            let mut bytes = Vec::with_capacity(switches.len() * GATE_SIZE);
            for switch in &mut switches {
                switch.gate = gates.address() + bytes.len() as u64;
                let (old, new) = switch.targets();
                let gate = arena.arch().gate_thunk(switch.gate, word.address(), old, new);
                bytes.extend(gate.map_err(|e| Error::new(ErrorKind::Link, e.to_string()))?);
            }
            gates.fill(&bytes);
            let targets = switches.iter().flat_map(|switch| [switch.old, switch.new]).collect();
            memory = Some(Memory { targets, gates, word });
        }
        Ok(Self { arena: arena.clone(), switches, memory })
    }

    /// The slots that change, with what they hold before and after.
    #[cfg(test)]
    pub(crate) fn switches(&self) -> &[Switch] {
        &self.switches
    }

    /// Commits: see [`publish`]. Gives back what has to be kept, with
    /// the old and the new bodies, until no thread is in a gate.
    #[must_use = "a thread may be inside the gates"]
    pub(crate) fn commit(self, slots: &Slots, early: &[(u32, u64)]) -> Option<Memory> {
        let word = self.memory.as_ref().map(|memory| memory.word.address());
        publish(&Stores { slots, arena: &self.arena, word }, early, &self.switches);
        self.memory.filter(|_| !bug(Bug::FreeGatesAtOnce))
    }
}

/// Gates start at multiples of 16, which their size keeps.
const GATE_SIZE_ALIGN: usize = 16;
const _: () = assert!(GATE_SIZE.is_multiple_of(GATE_SIZE_ALIGN));

impl Memory {
    /// Where a thread is that is inside a gate.
    pub(crate) fn code_range(&self) -> Range<u64> {
        self.gates.range()
    }

    /// The bodies that a thread in it may go to, old and new.
    pub(crate) fn targets(&self) -> &[u64] {
        &self.targets
    }

    /// Bytes of the arena that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.gates.len() + self.word.len()
    }
}

/// The words of one update, in the table and in its gates.
struct Stores<'a> {
    slots: &'a Slots,
    arena: &'a Arena,
    word: Option<u64>,
}

impl Words for Stores<'_> {
    fn store_call(&self, slot: u32, target: u64) {
        self.slots.store_call(slot, target);
    }

    fn set_commit_word(&self, order: Ordering) {
        if let Some(word) = self.word {
            // Gates read the lower half.
            self.arena.store(word, 1, order);
        }
    }

    fn settle(&self) {
        match self.arena.arch() {
            // Every load has acquire order.
            Arch::X86_64 => {}
            // The system call that makes instructions visible is a barrier in every thread.
            Arch::Aarch64 => self.arena.publish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arena() -> Arc<Arena> {
        Arena::new(Arch::X86_64, 0).unwrap()
    }

    fn switches(slots: &mut Slots, count: u64) -> Vec<Switch> {
        let one = |n| Switch { slot: slots.take().unwrap(), old: 0x1000 + n, new: 0x2000 + n, gate: 0 };
        let switches: Vec<Switch> = (0..count).map(one).collect();
        for switch in &switches {
            slots.store_call(switch.slot, switch.old);
        }
        switches
    }

    fn held(arena: &Arena, slots: &Slots, switch: &Switch) -> u64 {
        arena.load(slots.call_slot(switch.slot))
    }

    #[test]
    fn one_slot_needs_no_memory() {
        let arena = arena();
        let mut slots = Slots::new(arena.clone());
        let before = arena.usage();
        let switches = switches(&mut slots, 1);
        let gates = Gates::prepare(&arena, switches.clone()).unwrap();
        assert_eq!(arena.usage(), before);
        assert!(gates.commit(&slots, &[]).is_none());
        assert_eq!(held(&arena, &slots, &switches[0]), 0x2000);
    }

    #[test]
    fn gates_lead_from_the_old_body_to_the_new() {
        let arena = arena();
        let mut slots = Slots::new(arena.clone());
        let switches = switches(&mut slots, 5);
        let before = arena.usage();
        let gates = Gates::prepare(&arena, switches.clone()).unwrap();
        let word = gates.memory.as_ref().unwrap().word.address();
        assert_eq!(arena.read(word, 8), [0; 8]);
        let range = gates.memory.as_ref().unwrap().code_range();
        for (n, (switch, original)) in gates.switches().iter().zip(&switches).enumerate() {
            assert_eq!(switch.gate, range.start + (n * GATE_SIZE) as u64);
            assert!(switch.gate + GATE_SIZE as u64 <= range.end);
            let code = Arch::X86_64.gate_thunk(switch.gate, word, original.old, original.new).unwrap();
            assert_eq!(arena.read(switch.gate, GATE_SIZE), code);
            assert_eq!(held(&arena, &slots, switch), original.old, "prepare stored a slot");
        }
        let fresh = slots.take().unwrap();
        let memory = gates.commit(&slots, &[(fresh, 0x5000)]).unwrap();
        assert_eq!(arena.read(word, 8), 1u64.to_le_bytes());
        for switch in &switches {
            assert_eq!(held(&arena, &slots, switch), switch.new);
        }
        assert_eq!(arena.load(slots.call_slot(fresh)), 0x5000);
        let usage = arena.usage();
        assert_eq!(memory.bytes(), usage.code + usage.read_only - before.code - before.read_only);
        drop(memory);
        assert_eq!(arena.usage(), before);
        assert_eq!(arena.read(range.start, 4), [0xcc; 4], "freed gates are not traps");
    }

    #[test]
    fn a_dropped_update_gives_its_gates_back() {
        let arena = arena();
        let mut slots = Slots::new(arena.clone());
        let switches = switches(&mut slots, 3);
        let before = arena.usage();
        drop(Gates::prepare(&arena, switches.clone()).unwrap());
        assert_eq!(arena.usage(), before);
        assert_eq!(held(&arena, &slots, &switches[2]), 0x1002);
    }

    #[test]
    fn a_full_arena_is_an_error() {
        let arena = arena();
        let many = vec![Switch { slot: 0, old: 1, new: 2, gate: 0 }; 100_000];
        let before = arena.usage();
        assert_eq!(Gates::prepare(&arena, many).err().unwrap().kind(), ErrorKind::Memory);
        assert_eq!(arena.usage(), before);
    }
}
