//! The signature gate: no function changes its type under those compiled against the old.
//!
//! Owns the comparison of what each slot's function was compiled as with what it will be,
//! and the search for modules and handles that rely on the old type. What types are and
//! when two agree is the compile stage's; a type that nobody knows is not checked.

use std::sync::Arc;

use super::prepare::Batch;
use super::state::State;
use crate::compile::{callable_as, compatible};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{Owner, Provider, SignatureId, SymbolId, Target};

/// A function whose type changes, and who was compiled against the old one.
struct Change {
    symbol: SymbolId,
    owner: Owner,
    old: SignatureId,
    new: SignatureId,
    callers: Vec<String>,
}

impl State {
    /// Whether the host holds a handle to `id` that fits `old` and not `new`.
    pub(super) fn handles_rely_on(&self, id: SymbolId, old: SignatureId, new: SignatureId) -> bool {
        let text = |id| self.signatures.text(id).unwrap_or_default();
        let relies = |asked: &str| callable_as(text(old), asked) && !callable_as(text(new), asked);
        self.symbols.get(id).live_handles().any(relies)
    }
}

impl Batch<'_> {
    /// Refuses to change a type that others rely on, naming all of them. `outdated` gets the
    /// modules that are not part of the update.
    pub(super) fn check_signatures(&mut self, outdated: &mut Vec<Arc<str>>) -> Result<()> {
        let (mut changes, mut retyped) = (Vec::new(), Vec::new());
        for &id in self.prepared.providers.keys() {
            let Some((old, new)) = self.retyped(id) else { continue };
            retyped.push((id, old.signature, new.signature));
            let callers = self.compiled_against(id, old.signature, new.signature, outdated);
            if !callers.is_empty() {
                let (old, owner) = (old.signature, new.owner);
                changes.push(Change { symbol: id, owner, old, new: new.signature, callers });
            }
        }
        self.prepared.retyped = retyped;
        changes.sort_by_key(|change| change.symbol);
        outdated.sort_unstable();
        outdated.dedup();
        let problems = changes.into_iter().map(|change| self.refusal(&change)).collect();
        Error::all(problems).map_or(Ok(()), Err)
    }

    /// The present and the future provider of `id`, if it is a function of another type then.
    fn retyped(&self, id: SymbolId) -> Option<(Provider, Provider)> {
        let known =
            |p: &&Provider| matches!(p.target, Target::Function(_)) && p.signature != SignatureId::UNKNOWN;
        // The type that it had last, if nothing defines it at the moment.
        let symbol = self.state.symbols.get(id);
        let old = symbol.winner().or(symbol.retired()).filter(known)?;
        let new = self.winner(id).filter(known)?;
        let same = old.signature == new.signature || self.agree(new.signature, old.signature);
        (!same).then_some((*old, *new))
    }

    fn agree(&self, defined: SignatureId, declared: SignatureId) -> bool {
        let text = |id| self.state.signatures.text(id).unwrap_or_default();
        defined == declared || compatible(text(defined), text(declared))
    }

    /// Who relies on `old` and could not work with `new`.
    fn compiled_against(
        &self,
        id: SymbolId,
        old: SignatureId,
        new: SignatureId,
        outdated: &mut Vec<Arc<str>>,
    ) -> Vec<String> {
        let relies = |declared: SignatureId| {
            declared != SignatureId::UNKNOWN && self.agree(old, declared) && !self.agree(new, declared)
        };
        let mut callers = Vec::new();
        let symbol = self.state.symbols.get(id);
        for want in symbol.wanted_by.iter().filter(|w| !self.leaving.contains(&Owner::Module(w.module()))) {
            let Some(module) = self.state.module(want.module()) else { continue };
            if module.current.wanted.iter().any(|w| w.id == id && relies(w.signature)) {
                callers.push(format!("module {}", module.name));
                outdated.push(module.name.clone());
            }
        }
        for staged in &self.prepared.staged {
            if staged.wanted.iter().any(|w| w.id == id && relies(w.signature)) {
                callers.push(format!("module {} of this update", staged.name));
            }
        }
        callers.sort_unstable();
        if self.state.handles_rely_on(id, old, new) {
            callers.push("the host, by a Function".to_owned());
        }
        callers
    }

    fn refusal(&self, change: &Change) -> Error {
        let name = &*self.state.symbols.get(change.symbol).name;
        let text = |id| self.state.signatures.text(id).unwrap_or_default();
        let message = format!(
            "{name} changes its type from {} to {}; still compiled against the old one: {}",
            text(change.old),
            text(change.new),
            change.callers.join(", "),
        );
        Error::new(ErrorKind::Signature, message)
            .about(name)
            .in_module(&self.owner_name(change.owner))
            .hint("add new versions of these to the update, or have them rebuilt (Update::rebuild_callers)")
    }
}
