//! Under what something is stored: a hash of all that it depends on.
//!
//! Owns the hash: the same parts have the same key in every process. The hash is not secret,
//! so whoever may choose the parts could find two with one key. That is no new power: what is
//! stored here is code, which its maker may have do anything.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// A part of every key. To be counted up when entries of the versions before are to be left
/// alone.
const FORMAT: u64 = 1;

/// Under what something is stored in a [`Cache`](super::Cache).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey([u8; 16]);

impl CacheKey {
    /// Starts a key for what `purpose` names, and for this version of hotslot.
    pub fn builder(purpose: &str) -> KeyBuilder {
        let mut builder = KeyBuilder(SipHasher13::new());
        builder.number(FORMAT).text(env!("CARGO_PKG_VERSION")).text(purpose);
        builder
    }

    /// The key as bytes, to be part of another.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As a file's name.
    pub(super) fn name(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Makes a [`CacheKey`] of parts; their order and number count, and where each ends.
#[derive(Debug, Clone)]
#[must_use]
pub struct KeyBuilder(SipHasher13);

impl KeyBuilder {
    /// Adds a part.
    pub fn bytes(&mut self, part: &[u8]) -> &mut Self {
        self.number(part.len() as u64);
        self.0.write(part);
        self
    }

    /// Adds a part that is text.
    pub fn text(&mut self, part: &str) -> &mut Self {
        self.bytes(part.as_bytes())
    }

    /// Adds a part that is a number.
    pub fn number(&mut self, part: u64) -> &mut Self {
        self.0.write(&part.to_le_bytes());
        self
    }

    /// The key of the parts so far.
    #[must_use]
    pub fn key(&self) -> CacheKey {
        CacheKey(self.0.finish128().as_bytes())
    }
}

/// The checksum of an entry.
pub(super) fn checksum(parts: [&[u8]; 3]) -> [u8; 16] {
    let mut hash = SipHasher13::new();
    parts.iter().for_each(|part| hash.write(part));
    hash.finish128().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_ends() {
        let key = |parts: &[&str]| {
            let mut builder = CacheKey::builder("t");
            parts.iter().for_each(|part| _ = builder.text(part));
            builder.key()
        };
        let all = [&["ab", "c"][..], &["a", "bc"], &["abc"], &["abc", ""], &["", "abc"], &[]];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(key(one), key(one));
            assert!(all[at + 1..].iter().all(|other| key(one) != key(other)), "{one:?}");
        }
        assert_ne!(CacheKey::builder("t").key(), CacheKey::builder("u").key());
    }

    #[test]
    fn the_hash_is_the_same_in_every_process() {
        let sum = checksum([b"ab", b"", b"c"]);
        assert_eq!(sum, checksum([b"", b"abc", b""]), "a checksum is of what is in the file");
        let name = CacheKey(sum).name();
        assert_eq!((name.len(), name.as_str()), (32, "18bab55bb4eeb464cdd2201c436f2ff6"));
    }
}
