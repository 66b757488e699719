//! The versions of a module: the one that is live and those that can be returned to.
//!
//! Owns what a version consists of, and for how long its names in the table are held: from
//! the moment it is prepared until its image is freed.

use std::sync::Arc;

use super::report::ModuleReport;
use crate::compile::{Source, VariableType};
use crate::link::Image;
use crate::memory::Block;
use crate::table::{Provider, SignatureId, SymbolId, Symbols, Target};

/// A symbol that a module refers to without defining it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub id: SymbolId,
    /// The type that the module was compiled against.
    pub signature: SignatureId,
    /// By a call, and not only weakly.
    pub called: bool,
    pub required: bool,
}

/// One version of a module.
pub(super) struct Generation {
    /// 1 for the first load, one more for each replacement.
    pub number: u64,
    pub source: Source,
    /// Words of its constants wait for symbols to be defined as long as this lives. Whoever
    /// is about to call its code by address holds it.
    pub life: Arc<()>,
    pub image: Image,
    /// The symbols that it defines, each once.
    pub defined: Vec<SymbolId>,
    pub wanted: Vec<Wanted>,
    /// Functions that only the module knows, and whose addresses its code or data uses.
    pub exposed: Vec<SymbolId>,
    /// Where its variables are.
    pub led: Box<[(SymbolId, Target)]>,
    /// The types of its variables, as far as they are known.
    pub variables: Box<[(String, VariableType)]>,
    /// The functions that run when it is loaded and at the end.
    pub run: Box<[Box<str>]>,
    /// The number of the update that it was linked in; set when that is committed.
    pub order: u64,
    pub report: Arc<ModuleReport>,
}

impl Generation {
    /// The symbols whose cells its code and data may name.
    pub(super) fn names(&self) -> impl Iterator<Item = SymbolId> + '_ {
        self.defined.iter().copied().chain(self.wanted.iter().map(|wanted| wanted.id))
    }

    /// Says that its image names cells of the table.
    pub(super) fn hold(&self, symbols: &mut Symbols) {
        for &id in &self.defined {
            symbols.get_mut(id).holds += 1;
        }
        for wanted in &self.wanted {
            let symbol = symbols.get_mut(wanted.id);
            symbol.holds += 1;
            symbol.wants += 1;
        }
    }

    /// Ends [`Self::hold`]: the image is about to end; what only it named is forgotten.
    pub(super) fn release(&self, symbols: &mut Symbols) {
        self.defined.iter().for_each(|&id| symbols.release(id));
        self.wanted.iter().for_each(|wanted| symbols.release_want(wanted.id));
    }

    /// Bytes that it takes, its variables included.
    pub(super) fn size(&self) -> usize {
        self.bytes() + self.image.variable_bytes()
    }

    /// Bytes that end with it: variables and constants that are kept for good do not.
    pub(super) fn bytes(&self) -> usize {
        self.image.code_bytes() + self.image.constants.as_ref().map_or(0, Block::len)
    }
}

/// A generation that is not live and can be returned to.
pub(super) struct Past {
    pub generation: Generation,
    /// What it provided when it was live.
    pub providers: Vec<(SymbolId, Provider)>,
}

/// A module that is loaded.
pub(super) struct Module {
    pub name: Arc<str>,
    pub current: Generation,
    /// Oldest first.
    pub past: Vec<Past>,
    /// The highest number of a generation so far.
    pub newest: u64,
}

impl Module {
    pub(super) fn past(&self, number: u64) -> Option<&Past> {
        self.past.iter().find(|past| past.generation.number == number)
    }
}

/// A generation that nobody can return to any more and that some thread may still be in.
pub(super) struct Retired {
    pub module: Arc<str>,
    pub generation: Generation,
}
