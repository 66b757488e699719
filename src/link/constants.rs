//! The table of constants: read-only data by its content.
//!
//! A pointer to a string, a vtable or a table may be anywhere long after the code that
//! made it is gone, so such data is not freed with its generation. Owns the keys and the
//! table; [`super::intern`] says what a section's content is.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::memory::{Arena, Block};
use crate::table::SymbolId;

/// What a section of constants holds, and all that its relocations lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64, u64);

/// Makes a key. Equal for equal content within one process only; nobody outside knows the
/// seed, so nobody can make two contents of one key.
pub(super) struct KeyHasher(SipHasher13);

impl KeyHasher {
    pub(super) fn new() -> Self {
        static SEED: OnceLock<(u64, u64)> = OnceLock::new();
        let (first, second) = *SEED.get_or_init(|| {
            let random = RandomState::new();
            (random.hash_one(1), random.hash_one(2))
        });
        Self(SipHasher13::new_with_keys(first, second))
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        use std::hash::Hasher;
        self.0.write_u64(bytes.len() as u64);
        self.0.write(bytes);
    }

    pub(super) fn number(&mut self, number: u64) {
        use std::hash::Hasher;
        self.0.write_u64(number);
    }

    pub(super) fn finish(&self) -> Key {
        let hash = self.0.finish128();
        Key(hash.h1, hash.h2)
    }
}

impl Key {
    pub(super) fn parts(self) -> (u64, u64) {
        (self.0, self.1)
    }
}

/// Read-only data that lives until the runtime ends.
pub(crate) struct Constant {
    pub block: Block,
    /// Offsets of words that wait for a symbol to be defined.
    pub(super) waiting: Box<[u32]>,
    pub(super) names: OnceLock<Box<[SymbolId]>>,
}

impl Constant {
    /// The symbols whose stubs and cells it names: they have to stay as long as it does.
    pub(crate) fn names(&self) -> &[SymbolId] {
        self.names.get().map_or(&[], |names| names)
    }

    /// Whether a word that waited has been filled: then it is no longer what its key says.
    fn is_filled(&self, arena: &Arena) -> bool {
        let word = |address: u64| arena.load(address);
        self.waiting.iter().any(|&offset| {
            let address = self.block.address() + u64::from(offset);
            let (aligned, shift) = (address & !7, (address & 7) * 8);
            match shift {
                0 => word(aligned) != 0,
                _ => word(aligned) >> shift != 0 || word(aligned + 8) << (64 - shift) != 0,
            }
        })
    }
}

/// All constants of a runtime.
#[derive(Default)]
pub(crate) struct Constants {
    table: HashMap<Key, Arc<Constant>, foldhash::fast::RandomState>,
    /// Those whose place in the table another one took.
    others: Vec<Arc<Constant>>,
}

impl Constants {
    /// The constant of that content.
    pub(crate) fn find(&self, key: Key, arena: &Arena) -> Option<Arc<Constant>> {
        self.table.get(&key).filter(|constant| !constant.is_filled(arena)).cloned()
    }

    /// Enters `constant`, and keeps it for good. Returns whether it is new.
    pub(crate) fn admit(&mut self, key: Key, constant: &Arc<Constant>) -> bool {
        match self.table.insert(key, constant.clone()) {
            Some(old) if Arc::ptr_eq(&old, constant) => false,
            Some(old) => {
                self.others.push(old);
                true
            }
            None => true,
        }
    }

    /// How many there are, and how many bytes they take.
    #[allow(dead_code, reason = "for reports")]
    pub(crate) fn extent(&self) -> (usize, usize) {
        let all = || self.table.values().chain(&self.others);
        (all().count(), all().map(|constant| constant.block.len()).sum())
    }
}
