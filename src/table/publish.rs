//! The commit of an update: in which order words are stored.
//!
//! Owns the protocol that makes several slots change in one step while callers run, and the
//! argument why it does. It deliberately does not know where words lie: it is written over
//! [`Words`], so that loom checks this very code (`tests/models`).
//!
//! # The protocol
//!
//! One slot: one Release store. More: every slot that changes has a *gate*, code that reads
//! the update's *commit word* with acquire order and jumps to the old body while it is zero,
//! to the new one after that.
//!
//! 1. Store the gates. Whichever way a call goes, it reaches an old body.
//! 2. Set the word. This store is the commit.
//! 3. Store the new bodies. The gates are retired.
//!
//! # Why it is atomic
//!
//! Write G, W, B for the stores of steps 1 to 3, in any slot. A call makes up its mind in one
//! load: that of its slot when it finds a body there, that of the word when it finds a gate.
//! Call it old or new by the body it reaches. Claim: after a call that was new, no call that
//! *happens after* it, in the same thread or in one that was told, is old.
//!
//! *Slots loaded with acquire order* (every load on x86-64). The new call's deciding load read
//! W or a B. W is a Release store and behind all G; a B is one too and behind W. So all G
//! happen before that load, and before all that happens after it. A later load of any slot
//! then finds the gate or the new body, never the old one. If it finds the gate, its load of
//! the word must find W: when the first call read W, because loads of one word by one order of
//! events never go back (coherence); when it read a B, because W happens before that B.
//!
//! *Slots loaded plainly* (aarch64: `ldr x17; br x17`). Gates load the word with acquire order
//! here as well, so the argument holds for a call that read W. But a call that read a B may be
//! late: a jump through a loaded address keeps no later load from being done early, so the
//! next call may have loaded its slot, or a gate the word, before. [`Words::settle`], between W
//! and B, closes this hole. It puts a full barrier into every running thread, at some point P
//! of the thread's program, before it returns. The load that read a B came after P, because B
//! was not stored yet before; so all later loads come after P too, and see G and W. The same
//! goes for who gets a message from that thread: it was sent after P.
//!
//! A thread may be in a gate of an earlier commit, however late. For this commit that is an old
//! body: the load of the slot made up its mind.
//!
//! What is stored before step 1 is visible to new code by the same argument: addresses of
//! variables, and slots that no code could have called before.
//!
//! # What others must do
//!
//! - The word is zero and the gates are published before [`publish`] is called.
//! - [`Switch::old`] is what the slot holds. An update that was prepared at another [`Epoch`]
//!   is prepared again.
//! - A thread that is inside a gate may still jump to either body, however late. Whoever frees
//!   bodies takes a held gate as holding both.

use std::sync::atomic::Ordering;

use crate::seeded::{Bug, bug};

/// Where the words of an update are stored.
pub(crate) trait Words {
    /// Stores a call slot, with Release order.
    fn store_call(&self, slot: u32, target: u64);

    /// Sets the commit word to something other than zero.
    fn set_commit_word(&self, order: Ordering);

    /// Where callers load slots with acquire order: nothing. Elsewhere: returns when every
    /// thread of the process has gone through a full barrier since the call.
    fn settle(&self);
}

/// A slot that changes in an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch {
    pub slot: u32,
    /// What the slot holds, and goes on to be called until the commit.
    pub old: u64,
    pub new: u64,
    /// The gate's address; not used when the update changes one slot only.
    pub gate: u64,
}

impl Switch {
    /// Where the gate leads while the commit word is zero, and after that.
    pub(crate) fn targets(&self) -> (u64, u64) {
        if bug(Bug::SwappedGate) { (self.new, self.old) } else { (self.old, self.new) }
    }
}

/// Whether an update that changes this many slots needs gates.
pub(crate) fn needs_gates(slots: usize) -> bool {
    slots > 1
}

/// Commits: makes every slot of `early` and of `switches` lead to its new target. `early` are
/// slots that no code could have called before; all others are switched in one step.
///
/// Cells that hold addresses of data are stored by the caller, before this.
pub(crate) fn publish(words: &impl Words, early: &[(u32, u64)], switches: &[Switch]) {
    for &(slot, target) in early {
        words.store_call(slot, target);
    }
    let gated = needs_gates(switches.len()) && !bug(Bug::SkipGates);
    if bug(Bug::WordBeforeGates) {
        words.set_commit_word(Ordering::Release);
    }
    if gated {
        for switch in switches {
            words.store_call(switch.slot, switch.gate);
        }
    }
    if gated && !bug(Bug::BodiesBeforeWord) {
        let order = if bug(Bug::RelaxedCommitWord) { Ordering::Relaxed } else { Ordering::Release };
        words.set_commit_word(order);
    }
    // For one slot, too: its new body reads what was stored before.
    if !bug(Bug::SkipSettle) {
        words.settle();
    }
    for switch in switches {
        words.store_call(switch.slot, switch.new);
    }
    if bug(Bug::BodiesBeforeWord) {
        words.set_commit_word(Ordering::Release);
    }
}

/// How many commits there were: which state of the table an update was prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Epoch(u64);

impl Epoch {
    /// Counts a commit.
    pub(crate) fn advance(&mut self) {
        self.0 += 1;
    }

    /// Whether something was committed since an update was `prepared`. Its view of the table
    /// may then be wrong, and gates that lead to its old bodies would undo that commit.
    pub(crate) fn has_overtaken(self, prepared: Epoch) -> bool {
        self != prepared && !bug(Bug::OvertakenUnnoticed)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Step {
        Call(u32, u64),
        Word,
        Settle,
    }
    use Step::{Call, Settle, Word};

    #[derive(Default)]
    struct Log(RefCell<Vec<Step>>);

    impl Words for Log {
        fn store_call(&self, slot: u32, target: u64) {
            self.0.borrow_mut().push(Call(slot, target));
        }
        fn set_commit_word(&self, order: Ordering) {
            assert_eq!(order, Ordering::Release);
            self.0.borrow_mut().push(Word);
        }
        fn settle(&self) {
            self.0.borrow_mut().push(Settle);
        }
    }

    fn steps(early: &[(u32, u64)], switches: &[Switch]) -> Vec<Step> {
        let log = Log::default();
        publish(&log, early, switches);
        log.0.into_inner()
    }

    #[test]
    fn one_slot_takes_one_store() {
        let switch = Switch { slot: 7, old: 70, new: 71, gate: 0 };
        assert_eq!(steps(&[], &[switch]), [Settle, Call(7, 71)]);
        assert_eq!(steps(&[(9, 90)], &[switch]), [Call(9, 90), Settle, Call(7, 71)]);
    }

    #[test]
    fn more_slots_go_through_gates() {
        let switches = [
            Switch { slot: 7, old: 70, new: 71, gate: 1007 },
            Switch { slot: 8, old: 80, new: 81, gate: 1008 },
        ];
        let expected = [Call(9, 90), Call(7, 1007), Call(8, 1008), Word, Settle, Call(7, 71), Call(8, 81)];
        assert_eq!(steps(&[(9, 90)], &switches), expected);
        assert_eq!(switches[0].targets(), (70, 71));
    }

    #[test]
    fn a_commit_overtakes_what_was_prepared_before_it() {
        let mut now = Epoch::default();
        let prepared = now;
        assert!(!now.has_overtaken(prepared));
        now.advance();
        assert!(now.has_overtaken(prepared));
    }
}
