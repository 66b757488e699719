//! Symbols that an update leaves without a definition, or with more than one, and readers
//! that do not follow.
//!
//! Owns those parts of the report, and their being errors where the host asked for that.

use super::prepare::Batch;
use super::report::{Shadowed, Undefined};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{Owner, Rank, SymbolId};

impl Batch<'_> {
    /// Reports what a linker refuses; refuses it if `strict`.
    pub(super) fn find_loose_ends(&mut self, strict: bool) -> Result<()> {
        let (mut undefined, mut shadowed) = (Vec::new(), Vec::new());
        for (id, winner) in self.outlook() {
            match winner {
                None if self.required(id) => undefined.push(id),
                Some(winner) if winner.rank == Rank::Strong => {
                    self.find_shadowed(id, winner.owner, &mut shadowed)
                }
                _ => {}
            }
        }
        let name = |id: &SymbolId| self.state.symbols.get(*id).plain_name().to_owned();
        undefined.sort_by_key(name);
        let mut undefined: Vec<Undefined> = undefined
            .into_iter()
            .map(|id| Undefined { symbol: name(&id), wanted_by: self.wanting(id) })
            .collect();
        shadowed.sort_by(|(a, _): &(Shadowed, bool), (b, _)| a.symbol.cmp(&b.symbol));
        if strict {
            self.refuse(&undefined, &shadowed)?;
        }
        self.prepared.report.undefined.append(&mut undefined);
        self.prepared.report.shadowed = shadowed.into_iter().map(|(shadowed, _)| shadowed).collect();
        Ok(())
    }

    /// Strong definitions that lose against that of `winner`, where either is new.
    fn find_shadowed(&self, id: SymbolId, winner: Owner, found: &mut Vec<(Shadowed, bool)>) {
        let strong = || {
            let staged = self.prepared.providers.get(&id).into_iter().flatten().map(|p| (p, true));
            let present = self.state.symbols.get(id).providers.iter().map(|p| (p, false));
            let present = present.filter(|(p, _)| !self.leaving.contains(&p.owner));
            present.chain(staged).filter(|(p, _)| p.rank == Rank::Strong)
        };
        if strong().all(|(p, _)| p.owner == winner) {
            return;
        }
        let new = strong().any(|(p, new)| p.owner == winner && new);
        let others = strong().filter(|&(p, fresh)| p.owner != winner && (fresh || new));
        found.extend(others.map(|(p, fresh)| {
            let shadowed = Shadowed {
                symbol: self.state.symbols.get(id).plain_name().to_owned(),
                used: self.owner_name(winner),
                shadowed: self.owner_name(p.owner),
            };
            // Within one update the first wins, otherwise the last.
            (shadowed, fresh == new)
        }));
    }

    fn refuse(&self, undefined: &[Undefined], shadowed: &[(Shadowed, bool)]) -> Result<()> {
        let double = shadowed.iter().map(|(s, used_first)| {
            let (first, second) = if *used_first { (&s.used, &s.shadowed) } else { (&s.shadowed, &s.used) };
            let text = format!("multiple definitions of {}: {first} and {second}", s.symbol);
            let both = vec![s.used.clone(), s.shadowed.clone()];
            Error::new(ErrorKind::Resolve, text)
                .about(&s.symbol)
                .brought_by(self.newly_defining(&s.symbol, both))
        });
        let open = undefined.iter().map(|u| {
            let text = format!("undefined symbol: {}, wanted by {}", u.symbol, u.wanted_by.join(", "));
            Error::new(ErrorKind::Resolve, text)
                .about(&u.symbol)
                .brought_by(self.taking(&u.symbol).unwrap_or_else(|| u.wanted_by.clone()))
                .hint("add the module or file that defines it, or its library (-l and -L)")
        });
        Error::all(double.chain(open).collect()).map_or(Ok(()), Err)
    }

    /// Those of `modules` that have not defined the symbol so far; all of them if all have.
    fn newly_defining(&self, symbol: &str, modules: Vec<String>) -> Vec<String> {
        let Ok(id) = self.state.find(symbol) else { return modules };
        let defines = |name: &String| {
            let owners = self.state.symbols.get(id).providers.iter();
            let mut owners = owners.filter(|p| p.rank > Rank::Retired).map(|p| p.owner);
            owners.any(|owner| self.owner_name(owner) == *name)
        };
        let (old, new): (Vec<String>, Vec<String>) = modules.into_iter().partition(defines);
        if new.is_empty() { old } else { new }
    }

    /// The modules that define the symbol now and no longer will, if there are any.
    fn taking(&self, symbol: &str) -> Option<Vec<String>> {
        let id = self.state.find(symbol).ok()?;
        let owners = self.state.symbols.get(id).providers.iter().filter(|p| p.rank > Rank::Retired);
        let takes = owners.map(|p| p.owner).filter(|owner| self.leaving.contains(owner));
        let names: Vec<String> = takes.map(|owner| self.owner_name(owner)).collect();
        (!names.is_empty()).then_some(names)
    }

    /// Whether anything that will be loaded needs a definition of `id`.
    fn required(&self, id: SymbolId) -> bool {
        let staying = self.state.symbols.get(id).wanted_by.iter();
        let mut staying = staying.filter(|want| !self.leaving.contains(&Owner::Module(want.module())));
        self.prepared.references.get(&id).is_some_and(|known| known.1) || staying.any(|want| want.required())
    }

    /// The modules that refer to `id`.
    fn wanting(&self, id: SymbolId) -> Vec<String> {
        let staged = self.prepared.staged.iter().filter(|s| s.generation.wanted.iter().any(|w| w.id == id));
        let mut names: Vec<String> = staged.map(|s| s.name.to_string()).collect();
        for restored in &self.prepared.restored {
            let module = self.state.module(restored.id);
            let past = module.and_then(|module| Some((module, module.past(restored.number)?)));
            if let Some((module, past)) = past
                && past.generation.wanted.iter().any(|w| w.id == id)
            {
                names.push(module.name.to_string());
            }
        }
        let staying = self.state.symbols.get(id).wanted_by.iter().map(|want| Owner::Module(want.module()));
        names.extend(staying.filter(|owner| !self.leaving.contains(owner)).map(|o| self.owner_name(o)));
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(super) fn owner_name(&self, owner: Owner) -> String {
        match owner {
            Owner::Module(id) => match self.prepared.staged.iter().find(|s| s.id == id) {
                Some(module) => module.name.to_string(),
                None => self.state.module(id).map_or_else(String::new, |m| m.name.to_string()),
            },
            Owner::Host | Owner::Builtin => "the host".to_owned(),
            Owner::Process => "the process".to_owned(),
        }
    }
}
