//! What a module says of functions that are compiled on their first call.
//!
//! Such a function is defined: it has a rank, a type, a slot and a stub like others. Only where
//! calls of it lead is the thunk that names the symbol, the same that calls take while nothing
//! defines it. Owns entering these, and what they refer to, into an update. Which functions they
//! are is the compile stage's decision; what their first call does is in [`super::first_calls`].

use super::patch::Carried;
use super::prepare::{Batch, Settings};
use super::resolve::scoped_name;
use crate::compile::{Interface, Later, Patch};
use crate::error::Result;
use crate::link::Resolve;
use crate::table::{Owner, Provider, Rank, SignatureId, Target};

impl Batch<'_> {
    /// Stages the functions that `patch` brings and that wait for their first call.
    pub(super) fn promise(
        &mut self,
        settings: &Settings<'_>,
        (id, module): (u32, &str),
        interface: &Interface,
        patch: &Patch,
        carried: &mut Carried,
    ) -> Result<()> {
        for function in &patch.later.functions {
            let symbol = match function.local {
                true => self.intern(&scoped_name(&function.name, module, 0))?,
                false => self.intern(&function.name)?,
            };
            let text = interface.type_of(&function.name).filter(|_| !function.local);
            let signature = text.map_or(SignatureId::UNKNOWN, |text| self.state.signatures.intern(text));
            let target = Target::Function(self.thunk_of(settings, symbol)?);
            let rank = if function.weak { Rank::Weak } else { Rank::Strong };
            let (owner, order) = (Owner::Module(id), self.order());
            let provider = Provider { owner, rank, order, target, size: 0, signature };
            self.prepared.providers.entry(symbol).or_default().push(provider);
            carried.defined.push(symbol);
            carried.lazy.push(symbol);
        }
        Ok(())
    }

    /// Says that the module being linked refers to what its functions will that are compiled
    /// later: it has to be there, and of the type that they were compiled against.
    pub(super) fn refer_later(&mut self, patch: &Patch) -> Result<()> {
        let Later { references, .. } = &patch.later;
        for reference in references {
            let symbol = self.intern(&reference.name)?;
            self.refer(symbol, reference.called, reference.required);
        }
        Ok(())
    }
}
