//! The types under which the host holds handles to a function.
//!
//! Owns one token for each type: a type is in use for as long as somebody else has its
//! token. Knows nothing of what the types mean.

use std::sync::{Arc, Weak};

/// The handles to one function.
#[derive(Default)]
pub(crate) struct Handles(Vec<(Weak<()>, Box<str>)>);

impl Handles {
    /// The token for a handle of type `ir`, to be kept with it.
    pub(crate) fn hold(&mut self, ir: &str) -> Arc<()> {
        self.0.retain(|(token, _)| token.strong_count() > 0);
        let known = self.0.iter().find(|(_, known)| **known == *ir);
        if let Some(token) = known.and_then(|(token, _)| token.upgrade()) {
            return token;
        }
        let token = Arc::new(());
        self.0.push((Arc::downgrade(&token), ir.into()));
        token
    }

    /// The types in use, each once.
    pub(crate) fn live(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(token, _)| token.strong_count() > 0).map(|(_, ir)| &**ir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_in_use_until_its_last_token_goes() {
        let mut handles = Handles::default();
        let first = handles.hold("i32 ()");
        let other = handles.hold("i64 ()");
        let again = (handles.hold("i32 ()"), other.clone());
        assert_eq!(handles.live().collect::<Vec<_>>(), ["i32 ()", "i64 ()"]);
        drop((first, other));
        assert_eq!(handles.live().count(), 2);
        drop(again);
        assert_eq!(handles.live().count(), 0);
        for _ in 0..1000 {
            drop(handles.hold("void ()"));
        }
        assert_eq!(handles.0.len(), 1, "those that are gone are forgotten");
    }
}
