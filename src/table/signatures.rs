//! The types of functions, each kept once.
//!
//! Owns the numbers that stand for types, so that a definition and everything compiled
//! against it cost a word each. Deliberately does not know what a type means: whether two
//! agree is for the stage that made them.

use std::collections::HashMap;
use std::sync::Arc;

/// A function's type as compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct SignatureId(u32);

impl SignatureId {
    /// Nobody said.
    pub(crate) const UNKNOWN: Self = Self(0);
}

#[derive(Default)]
pub(crate) struct Signatures {
    texts: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, SignatureId, foldhash::fast::RandomState>,
}

impl Signatures {
    /// The number of a type.
    pub(crate) fn intern(&mut self, text: &str) -> SignatureId {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        let id = SignatureId(u32::try_from(self.texts.len()).unwrap_or(0));
        self.ids.insert(text, id);
        id
    }

    /// The type that [`Self::intern`] was given.
    pub(crate) fn text(&self, id: SignatureId) -> Option<&str> {
        let at = (id.0 as usize).checked_sub(1)?;
        self.texts.get(at).map(|text| &**text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_types_have_one_number() {
        let mut signatures = Signatures::default();
        let a = signatures.intern("i32 (ptr)");
        let b = signatures.intern("void ()");
        assert_ne!(a, b);
        assert_eq!(signatures.intern("i32 (ptr)"), a);
        assert_eq!(signatures.text(b), Some("void ()"));
        assert_eq!(signatures.text(SignatureId::UNKNOWN), None);
    }
}
