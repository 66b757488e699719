//! The thunks that an update needs: for symbols that nothing will define, and for the
//! moment of the commit.
//!
//! Owns which symbols get one. What a missing function does is in [`super::missing`], how a
//! commit is one step in [`crate::table`].

use super::prepare::{Batch, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Arena, Space};
use crate::seeded::{Bug, bug};
use crate::table::{Gates, Switch, SymbolId};
use std::sync::Arc;

impl Batch<'_> {
    /// Symbols that calls may reach while nothing defines them get a thunk that names them.
    pub(super) fn make_missing_thunks(&mut self, settings: &Settings<'_>) -> Result<()> {
        let unresolved = self.prepared.indirect.iter().map(|(id, _)| *id);
        let unresolved: Vec<_> = unresolved.filter(|id| self.state.symbols.slots.call(id.0) == 0).collect();
        for (id, indirect) in self
            .exposed()
            .into_iter()
            .map(|id| (id, false))
            .chain(unresolved.into_iter().map(|id| (id, true)))
        {
            let rare = self.state.symbols.get(id).rare();
            if rare.is_some_and(|rare| rare.missing.is_some())
                || self.prepared.missing.contains_key(&id)
                || !indirect && (self.winner(id).is_some() || self.ask_process(id).is_some())
            {
                continue;
            }
            // Without room for a thunk of its own the symbol shares the runtime's, which
            // cannot say its name: a removal must not need memory.
            match self.thunk_of(settings, id) {
                Err(error) if error.kind() != ErrorKind::Memory => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The address of the thunk that names `id`, which is made if there is none.
    pub(super) fn thunk_of(&mut self, settings: &Settings<'_>, id: SymbolId) -> Result<u64> {
        let known = self.state.symbols.get(id).rare().and_then(|rare| rare.missing.as_ref());
        if let Some(block) = known.or_else(|| self.prepared.missing.get(&id)) {
            return Ok(block.address());
        }
        let arena = settings.arena;
        let block = arena.allocate(Space::Code, runtime_stubs::THUNK_SIZE, runtime_stubs::STUB_SIZE)?;
        let thunk = arena.arch().missing_thunk(block.address(), id.0, settings.missing_entry_cell);
        block.fill(&thunk.map_err(|e| Error::new(ErrorKind::Link, e.to_string()))?);
        let address = block.address();
        self.prepared.missing.insert(id, block);
        Ok(address)
    }

    /// Finds the slots that callers may be using and whose target changes, and what makes
    /// several of them change in one step.
    pub(super) fn make_gates(&mut self, arena: &Arc<Arena>) -> Result<()> {
        let mut switches = Vec::new();
        for (id, winner) in self.outlook() {
            let old = self.state.symbols.slots.call(id.0);
            let new = self.call_of(id, winner, old);
            // A slot that is empty belongs to a name that this update made, or to one that
            // no code calls.
            if old != 0 && old != new {
                switches.push(Switch { slot: id.0, old, new, gate: 0 });
            }
        }
        if !self.prepared.restored.is_empty() && bug(Bug::RollbackForgetsSlot) {
            switches.pop();
        }
        match Gates::prepare(arena, switches.clone()) {
            Ok(gates) => self.prepared.gates.push(gates),
            // A removal must not need memory: what it ends, it ends one by one.
            Err(_) if self.prepared.staged.is_empty() && self.prepared.restored.is_empty() => {
                for switch in switches {
                    self.prepared.gates.push(Gates::prepare(arena, vec![switch])?);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
