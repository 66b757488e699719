//! The ranges that are asked about, and which of them a word points into.
//!
//! Owns the search; it is called in signal handlers, so it neither allocates nor panics.
//! Knows nothing of where words come from.

use std::ops::Range;

/// Ranges in order. Kept inverted: the search's own frames lie on stacks that are searched
/// later, and what they leave there must not look like an address in a range.
#[derive(Clone)]
pub(super) struct Wanted {
    inverted: Box<[(u64, u64)]>,
}

impl Wanted {
    /// `ranges` are sorted and do not overlap.
    pub(super) fn new(ranges: &[Range<u64>]) -> Self {
        Self { inverted: ranges.iter().map(|range| (!range.start, !range.end)).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.inverted.len()
    }

    /// Calls `found` for each range that holds `word`. The end counts as inside: a call that
    /// is a function's last instruction, as one that never returns may be, leaves that
    /// address, and the unwinder takes it for one of the function.
    #[inline]
    pub(super) fn search(&self, word: u64, mut found: impl FnMut(usize)) {
        let word = !word;
        let (Some(first), Some(last)) = (self.inverted.first(), self.inverted.last()) else { return };
        if word > first.0 || word < last.1 {
            return;
        }
        // The number of ranges that start at or before the word.
        let (mut low, mut high) = (0, self.inverted.len());
        while low < high {
            let middle = low.wrapping_add(high) / 2;
            match self.inverted.get(middle) {
                Some(range) if range.0 >= word => low = middle.wrapping_add(1),
                _ => high = middle,
            }
        }
        let Some(at) = low.checked_sub(1) else { return };
        if self.inverted.get(at).is_some_and(|range| word >= range.1) {
            found(at);
        }
        if let Some(before) = at.checked_sub(1)
            && self.inverted.get(before).is_some_and(|range| word == range.1)
        {
            found(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn a_word_is_in_the_ranges_that_hold_it() {
        let wanted = Wanted::new(&[0x1000..0x1010, 0x1010..0x1020, 0x3000..0x3001]);
        let hits = |word| {
            let mut all = Vec::new();
            wanted.search(word, |index| all.push(index));
            all
        };
        assert_eq!(hits(0xfff), [0usize; 0]);
        assert_eq!(hits(0x1000), [0]);
        assert_eq!(hits(0x100f), [0]);
        assert_eq!(hits(0x1010), [1, 0], "the end of one is the start of the next");
        assert_eq!(hits(0x1020), [1]);
        assert_eq!(hits(0x1021), [0usize; 0]);
        assert_eq!(hits(0x3001), [2]);
        assert_eq!(hits(0x3002), [0usize; 0]);
        assert_eq!(hits(u64::MAX), [0usize; 0]);
        assert_eq!(hits(0), [0usize; 0]);
        Wanted::new(&[]).search(0x1000, |_| panic!("nothing is wanted"));
    }
}
