//! Digests of content, and the form content takes to be digested.
//!
//! The same in every process, because digests are keys of what is kept on disk. Numbers become
//! few bytes before they are hashed: most are small, and hashing costs by the byte. The form can
//! be read in only one way, so two contents never look the same. What content is, is said
//! elsewhere.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// 128 bits that stand for a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Digest(pub u128);

/// Content on its way to a digest.
#[derive(Default)]
pub(super) struct Content(Vec<u8>);

impl Content {
    pub fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn numbers(&mut self, values: &[u64]) {
        self.number(values.len() as u64);
        for value in values {
            self.number(*value);
        }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub fn digest(&mut self, digest: Digest) {
        self.0.extend_from_slice(&digest.0.to_le_bytes());
    }

    /// The digest of all so far. What follows is new content.
    pub fn finish(&mut self) -> Digest {
        let mut hasher = SipHasher13::new();
        hasher.write(&self.0);
        self.0.clear();
        Digest(hasher.finish128().as_u128())
    }
}
