//! Deliberate bugs, for testing the tests.
//!
//! Owns their names and the question whether one is switched on. A normal build answers
//! "no" at compile time. One with `--cfg hotslot_bugs` has the bug that the environment
//! variable `HOTSLOT_BUG` names, and `tests/mutants.sh` shows that some test notices each
//! of them. It deliberately does not know what a bug does: that stands where it is asked for.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One bug each; the variant's name is what `HOTSLOT_BUG` holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(dead_code, reason = "models and the library ask for some of them each")]
        pub(crate) enum Bug {
            $($(#[$doc])* $name,)*
        }

        #[cfg(hotslot_bugs)]
        const ALL: &[(&str, Bug)] = &[$((stringify!($name), Bug::$name),)*];
    };
}

bugs! {
    // Publish.
    /// The commit word is stored without Release: a caller may see it before it sees a gate.
    RelaxedCommitWord,
    /// New bodies are stored one after the other, without gates.
    SkipGates,
    /// Bodies are stored before the commit word is set.
    BodiesBeforeWord,
    /// The commit word is set before the gates are in the slots.
    WordBeforeGates,
    /// Callers that load slots plainly (aarch64) go through no barrier before bodies are stored.
    SkipSettle,
    /// Gates lead to the new body until the commit, and to the old one from then on.
    SwappedGate,
    /// Gates are freed as soon as the bodies are in the slots.
    FreeGatesAtOnce,
    /// An update that another has overtaken is committed as it was prepared.
    OvertakenUnnoticed,

    // Retire and reclaim.
    /// A retired body is freed without asking anybody.
    FreeAtRetire,
    /// One thread is not asked.
    SkipThread,
    /// The registers of a thread are not looked at.
    SkipRegisters,
    /// A thread that does not answer is taken for one that holds nothing.
    IgnoreSilent,
    /// What is held does not hold what it leads to: a gate does not keep its two bodies.
    IgnoreKeeps,
    /// Freed code keeps its bytes.
    NoTraps,
    /// Published code has no unwind information.
    NoUnwindInfo,

    // State.
    /// A variable that grew keeps its storage.
    KeepGrown,
    /// Initialisers run again when a module is replaced.
    InitialiseAgain,
    /// No variable keeps its storage.
    ForgetStorage,
    /// Constants are freed with the generation that brought them.
    FreeConstants,

    // Transactions.
    /// An update that failed in prepare leaves a symbol behind.
    LeaveSymbol,
    /// A rollback leaves one slot as it was.
    RollbackForgetsSlot,
}

/// Whether `asked` is in this build and switched on.
#[cfg(not(hotslot_bugs))]
pub(crate) const fn bug(asked: Bug) -> bool {
    let _ = asked;
    false
}

/// Whether `asked` is in this build and switched on.
#[cfg(hotslot_bugs)]
pub(crate) fn bug(asked: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    // A name that is not a bug's switches nothing on, and shows as a bug that survives.
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("HOTSLOT_BUG").ok()?;
        ALL.iter().find(|(known, _)| *known == name).map(|(_, bug)| *bug)
    });
    *chosen == Some(asked)
}
