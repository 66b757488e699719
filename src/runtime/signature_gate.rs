//! The signature gate: no function changes its type under those compiled against the old, and
//! nobody new takes one for another type.
//!
//! Owns the comparison of what each slot's function was compiled as with what it will be,
//! the search for modules and handles that rely on the old type, and that of declarations that are
//! wrong from the start. What types are and when two agree is the compile stage's; a type that
//! nobody knows is not checked.

use std::sync::Arc;

use super::generation::{Module, Wanted};
use super::prepare::{Batch, Staged};
use super::report::TypesFrom;
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

    /// The number of the type `text`, which a function of the host called `name` is about to have, if
    /// all agree with that who were compiled against another definition of it.
    pub(super) fn host_type(&mut self, name: &str, text: &str) -> Result<SignatureId> {
        let differs = |wanted: &Wanted| {
            self.signatures.text(wanted.signature).is_some_and(|declared| !is_called_as(text, declared))
        };
        let mut callers: Vec<&str> = Vec::new();
        if let Ok(id) = self.find(name) {
            let modules = self.symbols.get(id).wanted_by.iter().filter_map(|want| self.module(want.module()));
            let wrong = |module: &&Module| module.current.wanted.iter().any(|w| w.id == id && differs(w));
            callers = modules.filter(wrong).map(|module| &*module.name).collect();
        }
        if callers.is_empty() {
            return Ok(self.signatures.intern(text));
        }
        callers.sort_unstable();
        callers.dedup();
        let callers = callers.join(", ");
        let message = format!("the host's {name} has type {text}; compiled against another one: {callers}");
        Err(Error::new(ErrorKind::Signature, message)
            .about(name)
            .hint("replace these modules first, or define the function with the type they use"))
    }
}

/// Whether code that took a function of type `defined` for `declared` can call it. A result that
/// nobody looks at may be anything that is not returned through memory.
fn is_called_as(defined: &str, declared: &str) -> bool {
    // A declaration without prototype says nothing of what else is passed.
    let declared = &*declared.replace("?...)", "?)");
    compatible(defined, declared) || {
        let as_void = |text: &str| text.find(" (").map(|at| format!("void{}", &text[at..]));
        declared.starts_with("void ")
            && !defined.starts_with(['{', '['])
            && as_void(defined).is_some_and(|defined| compatible(&defined, declared))
    }
}

impl Batch<'_> {
    /// Refuses to change a type that others rely on, naming all of them. `outdated` gets the
    /// modules that are not part of the update.
    /// With `declarations`, also refuses modules that take a function for what it is not.
    pub(super) fn check_signatures(
        &mut self,
        outdated: &mut Vec<Arc<str>>,
        declarations: bool,
    ) -> Result<()> {
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
        let mut problems: Vec<Error> = changes.iter().map(|change| self.refusal(change)).collect();
        if declarations {
            let told = |id: SymbolId| changes.iter().any(|change| change.symbol == id);
            problems.extend(self.wrong_declarations(&told));
        }
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
                // One without a name cannot be made anew.
                outdated.extend((!module.anonymous).then(|| module.name.clone()));
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

    /// Errors for what modules of the update declare otherwise than it is defined, and did not
    /// before. `told` says which functions are the subject of another error.
    fn wrong_declarations(&self, told: &dyn Fn(SymbolId) -> bool) -> Vec<Error> {
        let text = |id| self.state.signatures.text(id);
        let mut problems = Vec::new();
        // Debug information does not always say how a function is called.
        let is_ir = |staged: &&Staged| staged.generation.report.types == TypesFrom::Ir;
        for staged in self.prepared.staged.iter().filter(|staged| !staged.upgrade).filter(is_ir) {
            let before = self.state.module(staged.id).filter(|_| staged.replace);
            let before = |id| before?.current.wanted.iter().find(|w| w.id == id).map(|w| w.signature);
            for wanted in staged.generation.wanted.iter().filter(|wanted| !told(wanted.id)) {
                let Some(declared) = text(wanted.signature) else { continue };
                let winner = self.winner(wanted.id).filter(|p| matches!(p.target, Target::Function(_)));
                let Some((owner, defined)) = winner.and_then(|p| Some((p.owner, text(p.signature)?))) else {
                    continue;
                };
                if is_called_as(defined, declared) || before(wanted.id) == Some(wanted.signature) {
                    continue;
                }
                let name = self.state.symbols.get(wanted.id).plain_name();
                let owner = match owner {
                    Owner::Module(_) => format!("module {}", self.owner_name(owner)),
                    _ => self.owner_name(owner),
                };
                let message = format!(
                    "module {} declares {name} as {declared}; {owner} defines it as {defined}",
                    staged.name,
                );
                problems.push(
                    Error::new(ErrorKind::Signature, message)
                        .about(name)
                        .in_module(&staged.name)
                        .in_file(staged.generation.source.file())
                        .hint("declare it as it is defined (Runtime::declarations), or change both in one update"),
                );
            }
        }
        problems.sort_by(|a, b| (a.module(), a.symbol()).cmp(&(b.module(), b.symbol())));
        problems
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
