//! Finding an index by its name.
//!
//! An index from names to the numbers of things that keep their names themselves: it holds
//! nothing but the numbers. It is cut into shards, so that it grows in small steps, and no
//! growth moves all of it or needs a mapping of its own.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

const SHARDS: usize = 64;

pub(crate) struct Names {
    shards: [HashTable<u32>; SHARDS],
    hasher: RandomState,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| HashTable::new()), hasher: RandomState::default() }
    }

    fn shard(hash: u64) -> usize {
        // The table itself uses the lowest and the highest bits.
        (hash >> 32) as usize % SHARDS
    }

    /// The number whose name, by `name_of`, is `name`.
    pub(crate) fn find<'n>(&self, name: &str, name_of: impl Fn(u32) -> &'n str) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        self.shards[Self::shard(hash)].find(hash, |&number| name_of(number) == name).copied()
    }

    /// Enters a number whose name is not in the index.
    pub(crate) fn insert<'n>(&mut self, name: &str, number: u32, name_of: impl Fn(u32) -> &'n str) {
        let Self { shards, hasher } = self;
        let hash = hasher.hash_one(name);
        shards[Self::shard(hash)].insert_unique(hash, number, |&other| hasher.hash_one(name_of(other)));
    }

    pub(crate) fn remove(&mut self, name: &str, number: u32) {
        let hash = self.hasher.hash_one(name);
        if let Ok(entry) = self.shards[Self::shard(hash)].find_entry(hash, |&other| other == number) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_entered_and_not_removed() {
        let all: Vec<String> = (0..5000).map(|n| format!("name{n}")).collect();
        let name_of = |number: u32| all[number as usize].as_str();
        let mut names = Names::new();
        for (number, name) in all.iter().enumerate() {
            assert_eq!(names.find(name, name_of), None);
            names.insert(name, number as u32, name_of);
        }
        names.remove("name7", 7);
        for (number, name) in all.iter().enumerate() {
            let expected = (number != 7).then_some(number as u32);
            assert_eq!(names.find(name, name_of), expected);
        }
    }
}
