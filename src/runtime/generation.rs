//! The versions of a module: the one that is live and those that can be returned to.
//!
//! Owns what a version consists of: layers, each an object that was linked on its own. A full
//! replacement has one; a patch has one for the functions that changed, and goes on with those
//! layers of the version before that the rest of its functions are in. A layer's names in the
//! table are held from the moment it is prepared until its image is freed.

use std::sync::Arc;

use super::report::ModuleReport;
use crate::compile::{Known, Source, VariableType};
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

/// An object that was linked, and what its code and data refer to directly.
pub(super) struct Layer {
    /// Words of its constants wait for symbols to be defined as long as this lives. Whoever
    /// is about to call its code by address holds it.
    pub life: Arc<()>,
    pub image: Image,
    /// The symbols that it defines, each once.
    pub defined: Vec<SymbolId>,
    pub wanted: Vec<Wanted>,
    /// Functions that only the module knows, and whose addresses its code or data uses.
    pub exposed: Vec<SymbolId>,
    /// Where its variables are, and those of its generation that it does not define.
    pub led: Box<[(SymbolId, Target)]>,
    /// The number of the update that it was linked in; set when that is committed.
    pub order: u64,
}

impl Layer {
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

    /// Bytes that end with it: variables and constants that are kept for good do not.
    pub(super) fn bytes(&self) -> usize {
        self.image.code_bytes() + self.image.constants.as_ref().map_or(0, Block::len)
    }
}

/// One version of a module.
pub(super) struct Generation {
    /// 1 for the first load, one more for each replacement.
    pub number: u64,
    pub source: Source,
    /// The same as bitcode, where some of it is compiled later and the source is text.
    pub bitcode: Option<Source>,
    /// What its code was made from, if the diff understands that.
    pub known: Option<Known>,
    /// Newest first; never none once it is committed. The newest has all the variables.
    pub layers: Vec<Arc<Layer>>,
    /// The symbols that it provides, each once.
    pub defined: Vec<SymbolId>,
    /// What its live functions refer to.
    pub wanted: Vec<Wanted>,
    /// The types of its variables, as far as they are known.
    pub variables: Box<[(String, VariableType)]>,
    /// The functions that run when it is loaded and at the end.
    pub run: Box<[Box<str>]>,
    pub report: Arc<ModuleReport>,
}

impl Generation {
    /// The symbols whose cells its code and data may name.
    pub(super) fn names(&self) -> impl Iterator<Item = SymbolId> + '_ {
        self.defined.iter().copied().chain(self.wanted.iter().map(|wanted| wanted.id))
    }

    /// The image that has its variables.
    pub(super) fn variables(&self) -> Option<&Image> {
        self.layers.first().map(|layer| &layer.image)
    }

    pub(super) fn images(&self) -> impl Iterator<Item = &Image> {
        self.layers.iter().map(|layer| &layer.image)
    }

    /// The update that the oldest of its layers was linked in.
    pub(super) fn linked_since(&self) -> u64 {
        self.layers.iter().map(|layer| layer.order).min().unwrap_or_default()
    }

    /// Names this state of it: what it consists of may become another without its being
    /// replaced.
    pub(super) fn serial(&self) -> u64 {
        self.layers.first().map_or(0, |layer| layer.order)
    }

    /// Bytes that it takes, its variables included; some of it others may share.
    pub(super) fn size(&self) -> usize {
        let layers: usize = self.layers.iter().map(|layer| layer.bytes()).sum();
        layers + self.variables().map_or(0, Image::variable_bytes)
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
    /// It is not found by that name.
    pub anonymous: bool,
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

/// A layer that no generation has any more and that some thread may still be in.
pub(super) struct Retired {
    pub module: Arc<str>,
    /// The last generation that it was of.
    pub number: u64,
    pub layer: Layer,
    /// Nobody but its own code knew its symbols, and its constants end with it.
    pub anonymous: bool,
}
