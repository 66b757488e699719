//! Which parts of a space are free.
//!
//! A best-fit allocator over byte ranges that keeps its records outside the memory it
//! hands out, so that it can manage memory the host never reads. It deliberately knows
//! nothing of addresses, pages or protection.

use std::collections::{BTreeMap, BTreeSet};

/// Every extent is a multiple of this many bytes and starts at one.
pub(super) const GRANULE: usize = 16;

/// The free extents of one space of fixed length.
pub(super) struct Extents {
    /// Offset to length, for joining neighbours.
    by_offset: BTreeMap<usize, usize>,
    /// (length, offset), for finding the smallest that fits.
    by_length: BTreeSet<(usize, usize)>,
    used: usize,
}

impl Extents {
    pub(super) fn new(length: usize) -> Self {
        let mut extents = Self { by_offset: BTreeMap::new(), by_length: BTreeSet::new(), used: 0 };
        extents.insert(0, length);
        extents
    }

    /// Bytes handed out and not returned.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Takes `length` bytes (a multiple of the granule) at a multiple of `align`.
    pub(super) fn take(&mut self, length: usize, align: usize) -> Option<usize> {
        debug_assert!(length > 0 && length.is_multiple_of(GRANULE) && align.is_power_of_two());
        let (start, free_len, offset) =
            self.by_length.range((length, 0)..).find_map(|&(free_len, start)| {
                let offset = start.checked_next_multiple_of(align)?;
                (offset.checked_add(length)? <= start + free_len).then_some((start, free_len, offset))
            })?;
        self.remove(start, free_len);
        if offset > start {
            self.insert(start, offset - start);
        }
        let (end, free_end) = (offset + length, start + free_len);
        if free_end > end {
            self.insert(end, free_end - end);
        }
        self.used += length;
        Some(offset)
    }

    /// Returns what [`Self::take`] gave, joining it with free neighbours.
    pub(super) fn give(&mut self, mut offset: usize, mut length: usize) {
        self.used -= length;
        if let Some((&before, &before_len)) = self.by_offset.range(..offset).next_back() {
            debug_assert!(before + before_len <= offset, "given twice");
            if before + before_len == offset {
                self.remove(before, before_len);
                offset = before;
                length += before_len;
            }
        }
        if let Some(&after_len) = self.by_offset.get(&(offset + length)) {
            self.remove(offset + length, after_len);
            length += after_len;
        }
        self.insert(offset, length);
    }

    fn insert(&mut self, offset: usize, length: usize) {
        if length > 0 {
            self.by_offset.insert(offset, length);
            self.by_length.insert((length, offset));
        }
    }

    fn remove(&mut self, offset: usize, length: usize) {
        self.by_offset.remove(&offset);
        self.by_length.remove(&(length, offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn joins_neighbours_back_into_one() {
        let mut extents = Extents::new(1024);
        let a = extents.take(64, 16).unwrap();
        let b = extents.take(128, 64).unwrap();
        let c = extents.take(16, 16).unwrap();
        assert_eq!(b % 64, 0);
        for (offset, len) in [(b, 128), (a, 64), (c, 16)] {
            extents.give(offset, len);
        }
        assert_eq!(extents.used(), 0);
        assert_eq!(extents.take(1024, 16), Some(0));
        assert_eq!(extents.take(16, 16), None);
    }

    proptest! {
        #[test]
        fn never_overlaps_and_never_loses(requests in prop::collection::vec((1usize..40, 0u32..9, any::<bool>()), 1..200)) {
            let mut extents = Extents::new(1 << 16);
            let mut held: Vec<(usize, usize)> = Vec::new();
            for (granules, align, give) in requests {
                if give && !held.is_empty() {
                    let (offset, len) = held.swap_remove(granules % held.len());
                    extents.give(offset, len);
                } else if let Some(offset) = extents.take(granules * GRANULE, GRANULE << align) {
                    let len = granules * GRANULE;
                    prop_assert_eq!(offset % (GRANULE << align), 0);
                    prop_assert!(held.iter().all(|&(o, l)| o + l <= offset || offset + len <= o));
                    held.push((offset, len));
                }
            }
            prop_assert_eq!(extents.used(), held.iter().map(|&(_, l)| l).sum::<usize>());
            for (offset, len) in held {
                extents.give(offset, len);
            }
            prop_assert_eq!(extents.take(1 << 16, 16), Some(0));
        }
    }
}
