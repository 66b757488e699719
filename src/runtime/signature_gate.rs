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
use crate::table::{Owner, Provider, Rank, SignatureId, SymbolId, Target};

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
        // Where a definition goes, another one may take its place.
        let mut ids: Vec<SymbolId> = self.prepared.providers.keys().copied().collect();
        for owner in &self.leaving {
            let Owner::Module(id) = *owner else { continue };
            ids.extend(self.state.module(id).into_iter().flat_map(|module| &module.current.defined));
        }
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let Some((old, new)) = self.retyped(id) else { continue };
            retyped.push((id, old, new.signature));
            let callers = self.compiled_against(id, old, new.signature, outdated);
            if !callers.is_empty() {
                let owner = new.owner;
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

    /// The type of `id` and its future provider, if it is a function of another type then.
    /// One that was removed has the type it had, for those who are left of its callers.
    fn retyped(&self, id: SymbolId) -> Option<(SignatureId, Provider)> {
        let known =
            |p: &&Provider| matches!(p.target, Target::Function(_)) && p.signature != SignatureId::UNKNOWN;
        let symbol = self.state.symbols.get(id);
        let old = match symbol.winner().filter(|p| p.rank > Rank::Retired) {
            Some(old) => known(&old).then_some(old.signature)?,
            None => symbol.rare().map(|rare| rare.last_signature).filter(|&s| s != SignatureId::UNKNOWN)?,
        };
        let new = self.winner(id).filter(known)?;
        let same = old == new.signature || self.agree(new.signature, old);
        (!same).then_some((old, *new))
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
            if staged.generation.wanted.iter().any(|w| w.id == id && relies(w.signature)) {
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
