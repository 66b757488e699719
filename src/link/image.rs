//! What is left of an object once it is linked: memory, and what has to be run.
//!
//! Owns the order in which an image's parts end: unwind information before the code it
//! describes. Variables are shared between the generations of a module and so are
//! reference counted. It deliberately knows nothing of relocations.

use std::sync::Arc;

use runtime_stubs::entry::TlsDescArgument;

use crate::memory::Block;
use crate::table::SymbolId;
use crate::tls::TlsBlock;
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
}

/// The memory of variables, kept over generations.
pub(crate) struct Storage {
    pub block: Block,
    pub shape: Shape,
}

/// A module's thread-local variables, kept over generations.
pub(crate) struct ThreadLocals {
    pub block: TlsBlock,
    pub shape: Shape,
}

/// A linked object. Whoever drops it knows that no thread can reach its code.
#[derive(Default)]
pub(crate) struct Image {
    pub frames: Vec<Frames>,
    /// Addresses of the unwind information to register when the image is published.
    pub unregistered_frames: Vec<u64>,
    pub code: Option<Block>,
    pub constants: Option<Block>,
    pub storages: Vec<(StorageKey, Arc<Storage>)>,
    pub thread_locals: Option<Arc<ThreadLocals>>,
    /// Blocks of other modules that hold variables it shares with them.
    pub borrowed: Vec<Arc<ThreadLocals>>,
    /// What TLS descriptors point at; boxed so that their addresses stay.
    #[allow(dead_code, clippy::vec_box, reason = "owned here, read by generated code")]
    pub descriptors: Vec<Box<TlsDescArgument>>,
    /// Functions to call after loading and at the end, with their priority: lowest first
    /// after loading, last at the end.
    pub init: Vec<(u32, u64)>,
    pub fini: Vec<(u32, u64)>,
    pub keeps: Option<&'static str>,
}

impl Image {
    /// Its own thread-local block, and those it shares variables in.
    pub(crate) fn all_thread_locals(&self) -> impl Iterator<Item = &Arc<ThreadLocals>> {
        self.thread_locals.iter().chain(&self.borrowed)
    }

    pub(crate) fn code_bytes(&self) -> usize {
        self.code.as_ref().map_or(0, Block::len)
    }

    pub(crate) fn constant_bytes(&self) -> usize {
        self.constants.as_ref().map_or(0, Block::len)
    }

    pub(crate) fn variable_bytes(&self) -> usize {
        self.storages.iter().map(|(_, storage)| storage.block.len()).sum()
    }

    pub(crate) fn function_at(&self, _address: u64) -> (String, u64) {
        (String::new(), 0)
    }

    /// Whether `address` lies in the image's code.
    pub(crate) fn contains(&self, address: u64) -> bool {
        self.code.as_ref().is_some_and(|code| address.wrapping_sub(code.address()) < code.len() as u64)
    }
}
