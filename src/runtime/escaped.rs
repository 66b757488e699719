//! Who else has an address of an anonymous module that has ended.
//!
//! Owns the search of the variables of all modules for such addresses. What threads hold is found
//! out before, by [`crate::reclaim`]. Deliberately does not look on the heap: there is no telling
//! where a program has its memory.

use std::ops::Range;

use super::generation::{Layer, Retired};
use super::state::State;
use super::{Inner, retire};
use crate::memory::Arena;

impl Inner {
    /// Holds those of `freed` that are anonymous and that some variable leads to; whether there are
    /// any. Those are variables of others then, to be looked at again.
    pub(super) fn hold_escaped(&self, held: &mut Vec<Retired>, freed: &mut Vec<Retired>) -> bool {
        if !freed.iter().any(|retired| retired.anonymous) {
            return false;
        }
        let state = self.state.lock();
        let mut all: Vec<(Range<u64>, usize)> = Vec::new();
        for (index, retired) in freed.iter().enumerate().filter(|(_, retired)| retired.anonymous) {
            let own = retire::ranges(&retired.layer.image).chain(ranges(&state, &retired.layer));
            all.extend(own.map(|range| (range, index)));
        }
        all.sort_by_key(|(range, _)| range.start);
        let (ranges, owners): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let found = find(&state, &self.arena, freed, &ranges, &owners);
        drop(state);
        for &index in found.iter().rev() {
            held.push(freed.remove(index));
        }
        !found.is_empty()
    }
}

/// Where a word leads that keeps an anonymous module: its variables, and the stubs of functions
/// whose addresses its code uses. Its code and constants keep any module.
pub(super) fn ranges<'l>(state: &'l State, layer: &'l Layer) -> impl Iterator<Item = Range<u64>> + 'l {
    let stubs = layer.defined.iter().filter(|id| state.symbols.get(**id).exposed);
    let stubs = stubs.map(|id| state.symbols.slots.stub(id.0)).map(|stub| stub..stub + 1);
    let variables = layer.image.storages.iter().map(|stored| stored.storage.block.range());
    stubs.chain(variables).filter(|range| !range.is_empty())
}

/// Which of `owners` are led to from a variable of those that stay, given the sorted `ranges` that
/// are theirs. `going` are themselves not looked at.
fn find(
    state: &State,
    arena: &Arena,
    going: &[Retired],
    ranges: &[Range<u64>],
    owners: &[usize],
) -> Vec<usize> {
    let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else { return Vec::new() };
    let (low, high) = (first.start, last.end);
    let mut found = Vec::new();
    let mut words = |storage: Range<u64>| {
        let mut at = storage.start.next_multiple_of(8);
        while at + 8 <= storage.end {
            let word = arena.load(at);
            if (low..high).contains(&word) {
                let next = ranges.partition_point(|range| range.end <= word);
                if ranges.get(next).is_some_and(|range| range.contains(&word)) {
                    found.push(owners[next]);
                }
            }
            at += 8;
        }
    };
    let mut own: Vec<u64> = (going.iter().flat_map(|retired| &retired.layer.image.storages))
        .map(|stored| stored.storage.block.address())
        .collect();
    own.sort_unstable();
    let live = state.live().flat_map(|module| {
        let past = module.past.iter().map(|past| &past.generation);
        past.chain([&module.current]).flat_map(|generation| generation.images())
    });
    let retired = state.retired.iter().map(|retired| &retired.layer.image);
    let storages = live.chain(retired).flat_map(|image| &image.storages);
    let mut all: Vec<Range<u64>> = storages.map(|stored| stored.storage.block.range()).collect();
    let (start, end) = arena.range();
    let left = state.left.iter().flat_map(|left| left.ranges());
    all.extend(left.filter(|range| start <= range.start && range.end <= end));
    all.sort_unstable_by_key(|range| range.start);
    all.dedup();
    all.into_iter().filter(|range| own.binary_search(&range.start).is_err()).for_each(&mut words);
    found.sort_unstable();
    found.dedup();
    found
}
