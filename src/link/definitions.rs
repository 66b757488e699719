//! What an object provides, and what the linker asks about everybody else.
//!
//! Owns the translation of an object's global symbols into targets of the table, and the
//! interface to whoever keeps the table. Knows nothing of relocations.

use std::sync::Arc;

use super::constants::{Constant, Key};
use super::object::{Binding, Kind, Place, SymbolKind};
use super::place::Placement;
use crate::error::Result;
use crate::table::{Rank, SymbolId, Target};

/// A symbol of the object with its definition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    pub id: SymbolId,
    pub rank: Rank,
    pub target: Target,
    /// In bytes, as the object says.
    pub size: u64,
    /// The target is a function that returns the function to use.
    pub indirect: bool,
}

/// What the linker asks about symbols other than the object's own local ones.
pub(crate) trait Resolve {
    /// What `id` will be once the update under way is committed.
    fn target(&mut self, id: SymbolId) -> Option<Target>;
    /// The symbol for a local function of this module whose address is taken, the
    /// `ordinal`-th of its name. Asked once for each.
    fn local_function(&mut self, name: &str, ordinal: u32, body: u64, indirect: bool) -> Result<SymbolId>;
    /// Notes that the address of `id`, a function that only this module knows, is in its code or
    /// data, and so may be anywhere.
    fn expose(&mut self, id: SymbolId);
    /// Whether what `id` will be is this module's.
    fn is_own(&self, id: SymbolId) -> bool;
    /// The word behind a thread-local variable of a shared library.
    fn foreign_thread_local(&mut self, id: SymbolId) -> Option<u64>;
    /// The offset from the thread pointer of a thread-local variable of a shared library,
    /// if it is a constant.
    fn foreign_thread_offset(&mut self, id: SymbolId) -> Option<u64>;
    /// The size of what `id` will be, if a module defines it.
    fn size(&mut self, id: SymbolId) -> Option<u64>;
    /// The address of the pair of a thread-local symbol.
    fn pair(&mut self, id: SymbolId) -> Result<u64>;
    /// Notes a reference to a symbol that the object does not define.
    fn refer(&mut self, id: SymbolId, called: bool, required: bool);
    /// Notes a word that waits for `id` to be defined. `holder` is what the word is in, if
    /// that may outlive the object's image.
    fn wait(&mut self, id: SymbolId, address: u64, addend: u64, holder: Option<Arc<dyn Send + Sync>>);
    /// The constant of that content which an earlier update made.
    fn constant(&self, key: Key) -> Option<Arc<Constant>>;
}

impl Placement<'_> {
    /// The definitions of the object's global symbols.
    pub(crate) fn definitions(&self, ids: &[Option<SymbolId>]) -> Vec<Definition> {
        let mut definitions = Vec::new();
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            let Some(id) = ids[index] else { continue };
            let rank = match symbol.binding {
                // Whether it may be discarded is the compiler's business.
                _ if symbol.scoped => Rank::Strong,
                Binding::Weak | Binding::Unique => Rank::Weak,
                _ => Rank::Strong,
            };
            let indirect = symbol.kind == SymbolKind::IndirectFunction;
            let (rank, target) = match symbol.place {
                Place::Undefined => continue,
                Place::Absolute => (rank, Target::Data(symbol.value)),
                Place::Common => (Rank::Common, Target::Data(self.common[&index])),
                Place::Section(section) => {
                    let placed = self.copy_at(section, symbol.value);
                    let address = placed.address + symbol.value;
                    match self.object.sections[section].kind {
                        Kind::Skipped => continue,
                        Kind::Code if symbol.kind != SymbolKind::Data => (rank, Target::Function(address)),
                        Kind::ThreadLocal => match &self.thread_locals {
                            Some(block) => (rank, Target::ThreadLocal(block.word(address))),
                            None => continue,
                        },
                        _ => (rank, Target::Data(address)),
                    }
                }
            };
            definitions.push(Definition { id, rank, target, size: symbol.size, indirect });
        }
        definitions
    }
}
