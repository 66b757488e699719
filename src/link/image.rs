//! What is left of an object once it is linked: memory, and what has to be run.
//!
//! Owns the order in which an image's parts end: unwind information before the code it
//! describes. Variables are shared between the generations of a module and so are
//! reference counted. It deliberately knows nothing of relocations.

use std::sync::Arc;

use runtime_stubs::entry::TlsDescArgument;

use super::constants::{Constant, Key};
use super::functions::Functions;
use super::keeps::Keeps;
use super::lines::Lines;
use crate::memory::Block;
use crate::observe::Shown;
use crate::seeded::{Bug, bug};
use crate::table::SymbolId;
use crate::tls::{Part, TlsBlock};
use crate::unwind::Frames;

/// Names a variable section over the generations of a module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum StorageKey {
    /// One variable shared by every module that defines it (inline variables, statics of
    /// inline functions, COMMON).
    Shared(SymbolId),
    /// One variable of the module, global or static.
    Variable(Box<str>),
    /// A section with several variables.
    Section(Box<str>),
}

/// How a section of variables is laid out; storage is kept only under an equal shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub size: u64,
    pub align: u64,
    /// Hash of the names, offsets and sizes of its symbols.
    pub layout: u64,
    /// Identifies the type; 0 is not known, and matches any.
    pub fingerprint: u64,
    /// It holds addresses of labels.
    pub labels: bool,
}

/// The [`Shape::fingerprint`] of a variable whose type is another one than in the generation
/// before.
pub(crate) const CHANGED: u64 = u64::MAX;

/// Why a variable's old storage is not for its new definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    Size,
    Align,
    /// Other variables, or at other places, in the same section.
    Layout,
    Type,
    /// It holds addresses of labels, which mean nothing to new code of their function.
    Labels,
    /// A thread-local variable now has to be at a constant offset.
    Model,
    /// A thread-local block has no room for it.
    Room,
}

impl Shape {
    /// Why storage of shape `old` cannot be kept, if it cannot.
    pub(super) fn unfit(&self, old: &Self) -> Option<Unfit> {
        if self.labels || old.labels {
            return Some(Unfit::Labels);
        }
        let unknown = self.fingerprint == 0 || old.fingerprint == 0;
        if self.fingerprint == CHANGED && self.size == old.size {
            return Some(Unfit::Type);
        }
        match () {
            () if self.size > old.size && bug(Bug::KeepGrown) => None,
            () if self.size != old.size => Some(Unfit::Size),
            () if self.align > old.align => Some(Unfit::Align),
            () if self.layout != old.layout => Some(Unfit::Layout),
            () if !unknown && self.fingerprint != old.fingerprint => Some(Unfit::Type),
            () => None,
        }
    }
}

/// The memory of variables, kept over generations.
pub(crate) struct Storage {
    pub block: Block,
    pub shape: Shape,
}

/// A generation's thread-local variables. Each thread has one block for all of them, which
/// is kept over generations, as is the part of it that each variable has.
pub(crate) struct ThreadLocals {
    pub block: Arc<TlsBlock>,
    pub variables: Vec<ThreadLocal>,
}

/// A thread-local variable, or a section of them, of an image.
pub(crate) struct ThreadLocal {
    pub key: StorageKey,
    pub shape: Shape,
    pub part: Arc<Part>,
    /// See [`Stored::initial`].
    pub initial: u64,
    /// See [`Stored::names`].
    pub names: Box<[Box<str>]>,
}

impl ThreadLocal {
    /// See [`Stored::variables`].
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        variables(&self.key, &self.names)
    }
}

/// A variable, or a section of them, of an image.
pub(crate) struct Stored {
    pub key: StorageKey,
    pub storage: Arc<Storage>,
    /// Hash of its initial value, whether that was used or not.
    #[allow(dead_code, reason = "for reports")]
    pub initial: u64,
    /// The generation before had the storage.
    pub kept: bool,
    /// Its variables, where the key is not the name of the only one.
    pub names: Box<[Box<str>]>,
}

impl Stored {
    /// The names of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        variables(&self.key, &self.names)
    }
}

fn variables<'a>(key: &'a StorageKey, names: &'a [Box<str>]) -> impl Iterator<Item = &'a str> {
    let only = match key {
        StorageKey::Variable(name) if names.is_empty() => Some(&**name),
        _ => None,
    };
    only.into_iter().chain(names.iter().map(|name| &**name))
}

/// A function to call after loading or at the end.
#[derive(Debug, Clone)]
pub(crate) struct Initialiser {
    /// Lowest first after loading, last at the end.
    pub priority: u32,
    pub address: u64,
    #[allow(dead_code, reason = "for reports")]
    pub name: Option<Box<str>>,
}

/// A linked object. Whoever drops it knows that no thread can reach its code.
#[derive(Default)]
pub(crate) struct Image {
    /// Debuggers know of it; first, because they forget it before its memory is another's.
    #[allow(dead_code, reason = "held")]
    pub shown: Option<Shown>,
    pub frames: Vec<Frames>,
    /// Addresses of the unwind information to register when the image is published.
    pub unregistered_frames: Vec<u64>,
    pub code: Option<Block>,
    pub constants: Option<Block>,
    /// Constants that outlive it, with their keys.
    pub interned: Vec<(Key, Arc<Constant>)>,
    pub storages: Vec<Stored>,
    pub thread_locals: Option<ThreadLocals>,
    /// Variables that it shares with other modules and that are in their blocks.
    pub borrowed: Vec<Arc<Part>>,
    /// What TLS descriptors point at; boxed so that their addresses stay.
    #[allow(dead_code, clippy::vec_box, reason = "owned here, read by generated code")]
    pub descriptors: Vec<Box<TlsDescArgument>>,
    pub init: Vec<Initialiser>,
    pub fini: Vec<Initialiser>,
    /// The functions in `code`.
    #[allow(dead_code, reason = "for reports")]
    pub functions: Functions,
    /// Which source line the code is of, if its object said.
    pub lines: Option<Lines>,
    /// Why the code cannot be shown to be unreachable, if it cannot.
    #[allow(dead_code, reason = "for reclamation")]
    pub keeps: Option<Keeps>,
    /// Variables, its own too, whose addresses are part of code or data, so that it will not
    /// notice when they move. Those that were not defined yet may turn out to be functions.
    #[allow(dead_code, reason = "for reports")]
    pub baked: Vec<SymbolId>,
}

impl Image {
    /// Its own thread-local block, and those it shares variables in.
    pub(crate) fn thread_local_blocks(&self) -> impl Iterator<Item = &Arc<TlsBlock>> {
        let own = self.thread_locals.iter().map(|locals| &locals.block);
        own.chain(self.borrowed.iter().map(|part| &part.block))
    }

    pub(crate) fn code_bytes(&self) -> usize {
        self.code.as_ref().map_or(0, Block::len)
    }

    pub(crate) fn constant_bytes(&self) -> usize {
        let interned: usize = self.interned.iter().map(|(_, constant)| constant.block.len()).sum();
        self.constants.as_ref().map_or(0, Block::len) + interned
    }

    pub(crate) fn variable_bytes(&self) -> usize {
        self.storages.iter().map(|stored| stored.storage.block.len()).sum()
    }

    /// The storage of the variable at `address`.
    pub(crate) fn storage_at(&self, address: u64) -> Option<&Arc<Storage>> {
        let mut storages = self.storages.iter().map(|stored| &stored.storage);
        storages.find(|storage| storage.block.range().contains(&address))
    }

    /// Whether `address` lies in memory that ends with the image.
    pub(crate) fn owns(&self, address: u64) -> bool {
        self.code.iter().chain(&self.constants).any(|block| block.range().contains(&address))
    }

    /// Whether `address` lies in the image's code.
    pub(crate) fn contains(&self, address: u64) -> bool {
        self.code.as_ref().is_some_and(|code| code.range().contains(&address))
    }
}
