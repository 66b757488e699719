//! What is where in a variable's storage, and whether two versions of it agree.
//!
//! Owns the comparison. Two sources describe storage: LLVM's type, as runs of scalars, and
//! debug information, as a hash over members with names. Each is compared with its own kind
//! only. Deliberately knows neither LLVM nor DWARF.

use std::hash::{BuildHasher, Hash};

/// A hash that is the same in every process.
pub(super) fn stable_hash(value: impl Hash) -> u64 {
    foldhash::quality::FixedState::with_seed(0x6873_7479).hash_one(value)
}

/// What a run of storage holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    /// Bytes of no known kind: a union, or what fills one up.
    Any,
    Integer,
    Float,
    Pointer,
    /// Elements of a large array, by the hash of what is in one.
    Pattern(u64),
}

/// Scalars of one kind, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub kind: Scalar,
    pub at: u64,
    /// The size of one.
    pub unit: u64,
    pub count: u64,
}

impl Run {
    fn end(&self) -> u64 {
        self.at.saturating_add(self.unit.saturating_mul(self.count))
    }
}

/// The type of a variable, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VariableType {
    /// Its storage by LLVM's type: runs in ascending order. `None` where it did not come
    /// as IR, or the type is one that says nothing.
    pub(super) runs: Option<Vec<Run>>,
    pub(super) size: u64,
    /// A hash over its members by name and type, from debug information; 0 where there is
    /// none.
    pub(super) members: u64,
    /// For messages.
    pub text: String,
}

impl VariableType {
    /// Whether storage of type `old` is right for code compiled against `self`. `None`
    /// where the two cannot be compared.
    pub(crate) fn fits(&self, old: &Self) -> Option<bool> {
        let members = (self.members != 0 && old.members != 0).then_some(self.members == old.members);
        match (&self.runs, &old.runs) {
            (Some(new), Some(was)) => match runs_agree(new, was, self.size, old.size) {
                Some(true) => Some(members.unwrap_or(true)),
                other => other,
            },
            // Different sources, or different compilers: agreement proves, difference does not.
            (None, None) => members,
            _ => members.filter(|&same| same),
        }
    }

    /// A number for the type; 0 where nothing is known. Types that fit may have different
    /// numbers, equal numbers fit.
    pub(crate) fn fingerprint(&self) -> u64 {
        match &self.runs {
            Some(runs) => stable_hash((1u8, runs, self.size, self.members)).max(1),
            None if self.members != 0 => stable_hash((2u8, self.members)).max(1),
            None => 0,
        }
    }
}

/// Appends a run, or lengthens the last one.
pub(super) fn push(runs: &mut Vec<Run>, run: Run) {
    if run.count == 0 || run.unit == 0 {
        return;
    }
    match runs.last_mut() {
        Some(last) if last.kind == run.kind && last.unit == run.unit && last.end() == run.at => {
            last.count = last.count.saturating_add(run.count);
        }
        _ => runs.push(run),
    }
}

/// What is at `at` and up to where.
fn piece(runs: &[Run], next: &mut usize, at: u64, size: u64) -> (Option<Run>, u64) {
    while runs.get(*next).is_some_and(|run| run.end() <= at) {
        *next += 1;
    }
    match runs.get(*next) {
        Some(run) if run.at <= at => (Some(*run), run.end()),
        Some(run) => (None, run.at),
        None => (None, size),
    }
}

fn runs_agree(new: &[Run], old: &[Run], new_size: u64, old_size: u64) -> Option<bool> {
    if new_size != old_size {
        return Some(false);
    }
    let (mut a, mut b, mut at) = (0, 0, 0);
    while at < new_size {
        let (one, one_end) = piece(new, &mut a, at, new_size);
        let (other, other_end) = piece(old, &mut b, at, new_size);
        let any = |run: Option<Run>| run.is_some_and(|run| run.kind == Scalar::Any);
        let agree = match (one, other) {
            _ if any(one) || any(other) => true,
            (None, None) => true,
            (Some(one), Some(other)) => {
                let in_step = (at - one.at) % one.unit == (at - other.at) % other.unit;
                one.kind == other.kind && one.unit == other.unit && in_step
            }
            _ => false,
        };
        if !agree {
            let pattern = |run: Option<Run>| run.is_some_and(|run| matches!(run.kind, Scalar::Pattern(_)));
            // An array that is described as a whole here and piece by piece there.
            return if pattern(one) != pattern(other) { None } else { Some(false) };
        }
        at = one_end.min(other_end).max(at + 1);
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(size: u64, runs: &[(Scalar, u64, u64, u64)]) -> VariableType {
        let runs = runs.iter().map(|&(kind, at, unit, count)| Run { kind, at, unit, count });
        VariableType { runs: Some(runs.collect()), size, ..VariableType::default() }
    }

    #[test]
    fn runs_are_compared_piece_by_piece() {
        use Scalar::{Any, Float, Integer, Pattern, Pointer};
        let ints = of(16, &[(Integer, 0, 4, 4)]);
        assert_eq!(ints.fits(&of(16, &[(Integer, 0, 4, 1), (Integer, 4, 4, 3)])), Some(true));
        assert_eq!(ints.fits(&of(16, &[(Integer, 0, 8, 2)])), Some(false));
        assert_eq!(ints.fits(&of(16, &[(Integer, 0, 4, 3)])), Some(false), "what was padding");
        assert_eq!(ints.fits(&of(20, &[(Integer, 0, 4, 5)])), Some(false));
        assert_eq!(ints.fits(&of(16, &[(Any, 0, 1, 16)])), Some(true));
        assert_eq!(ints.fits(&of(16, &[(Integer, 0, 4, 1), (Any, 4, 1, 12)])), Some(true));
        assert_eq!(ints.fits(&of(16, &[(Float, 0, 4, 1), (Any, 4, 1, 12)])), Some(false));
        assert_eq!(ints.fits(&of(16, &[(Pointer, 0, 8, 2)])), Some(false));
        assert_eq!(ints.fits(&of(16, &[(Pattern(1), 0, 8, 2)])), None);
        let (one, two) = (of(16, &[(Pattern(1), 0, 8, 2)]), of(16, &[(Pattern(2), 0, 8, 2)]));
        assert_eq!((one.fits(&one), one.fits(&two)), (Some(true), Some(false)));
        assert_eq!(of(0, &[]).fits(&of(0, &[])), Some(true));
    }

    #[test]
    fn sources_are_not_mixed() {
        let known = |members| VariableType { members, ..VariableType::default() };
        let with = |members| VariableType { members, ..of(4, &[(Scalar::Integer, 0, 4, 1)]) };
        assert_eq!(known(1).fits(&known(1)), Some(true));
        assert_eq!(known(1).fits(&known(2)), Some(false));
        assert_eq!(known(0).fits(&known(1)), None);
        assert_eq!(with(1).fits(&with(2)), Some(false), "members in another order");
        assert_eq!(with(1).fits(&with(0)), Some(true));
        assert_eq!(with(0).fits(&known(1)), None);
        assert_eq!(with(1).fits(&known(1)), Some(true));
        assert_eq!(with(1).fits(&known(2)), None);
        assert_eq!(VariableType::default().fingerprint(), 0);
        assert_ne!(with(1).fingerprint(), with(2).fingerprint());
        assert_ne!(with(0).fingerprint(), known(1).fingerprint());
    }

    #[test]
    fn the_hash_is_the_same_in_every_process() {
        assert_eq!(stable_hash(7u64), 17540075715663124395);
    }

    proptest::proptest! {
        #[test]
        fn any_runs_are_compared_in_bounded_time(
            a in proptest::collection::vec((0u64..9, 0u64..1 << 40, 1u64..9, 0u64..1 << 40), 0..9),
            b in proptest::collection::vec((0u64..9, 0u64..9, 1u64..9, 0u64..9), 0..9),
            size in 0u64..,
        ) {
            let runs = |list: Vec<(u64, u64, u64, u64)>| {
                let mut runs = Vec::new();
                for (kind, at, unit, count) in list {
                    let kind = [Scalar::Any, Scalar::Integer, Scalar::Pattern(3)][kind as usize % 3];
                    push(&mut runs, Run { kind, at, unit, count });
                }
                VariableType { runs: Some(runs), size: size % 4096, ..VariableType::default() }
            };
            let (a, b) = (runs(a), runs(b));
            let _ = (a.fits(&b), b.fits(&a));
        }
    }
}
