//! What the code of each function of a module can depend on, as digests.
//!
//! Two modules whose digests of a function are equal give the same code for it, whatever else
//! has changed: names, positions in the source and the numbers that everything else shifts do
//! not count. Owns what depends on what: whose bodies the optimiser may look into, and what runs
//! when a module is loaded.
//!
//! This holds if code generation keeps three things from the optimiser: bodies of functions that
//! are no inline candidates, which static functions constants name, and initialisers of variables
//! that may be written. Positions in the source do not count, so debug information can be that of an
//! earlier place.

use std::sync::Arc;

use super::Understood;
use super::attributes::Flags;
use super::bitstream::Block;
use super::contents::Contents;
use super::digest::Digest;
use super::file::File;
use super::frame::{Frame, is_same_body};
use super::function::{Body, Walker};
use super::globals::{Global, linkage};
use super::module::Module;
use super::summing::{Before, Fixed, Summed};

/// Linkage of a function or variable, as in IR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linkage {
    External,
    AvailableExternally,
    LinkOnce,
    LinkOnceOdr,
    Weak,
    WeakOdr,
    Appending,
    Internal,
    Private,
    ExternWeak,
    Common,
}

impl Linkage {
    /// Only the module knows the name.
    pub fn is_local(self) -> bool {
        matches!(self, Self::Internal | Self::Private)
    }
}

/// A module as far as code depends on it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// What all code depends on: target, assembly, flags.
    pub module: Digest,
    /// Aliases and ifuncs.
    pub indirections: Digest,
    /// What runs on loading and unloading: the lists of constructors and destructors, the
    /// functions they name, and internal functions that those refer to; and what is marked as
    /// used. `None` when one of the functions is not understood.
    pub initialisers: Option<Digest>,
    pub functions: Vec<Function>,
    pub variables: Arc<[Variable]>,
    pub aliases: Arc<[Alias]>,
}

/// An alias or an ifunc.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    pub name: Arc<str>,
    pub linkage: Linkage,
    pub is_ifunc: bool,
    /// What it leads to: places in [`Summary::functions`] and [`Summary::variables`].
    pub functions: Arc<[u32]>,
    pub variables: Arc<[u32]>,
}

/// A function of a module, defined or declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub name: Arc<str>,
    pub linkage: Linkage,
    pub is_defined: bool,
    /// The function by itself, with what must be inlined into it. `None` for a declaration, and
    /// for a body that is not understood, which counts as changed.
    pub own: Option<Digest>,
    /// The same and all that the optimiser may look into from it.
    pub deep: Option<Digest>,
    pub instructions: u32,
    /// What it refers to: places in [`Summary::functions`] and [`Summary::variables`].
    pub functions: Arc<[u32]>,
    pub variables: Arc<[u32]>,
    /// Used other than as what a call calls.
    pub address_taken: bool,
    /// Someone has the address of a block of it.
    #[allow(dead_code, reason = "for tests")]
    pub block_address_taken: bool,
    /// And that is in a variable that may be written.
    pub block_address_kept: bool,
    pub direct_calls: u32,
    pub flags: Flags,
    /// There is data before its entry.
    pub has_prefix: bool,
    /// It calls a function that returns twice.
    #[allow(dead_code, reason = "for tests")]
    pub calls_returns_twice: bool,
    /// It is entered once and stays ([`Reads::entered_once`]): nothing is copied into it but what
    /// must be.
    pub entered_once: bool,
    /// See [`is_inline_candidate`].
    pub is_inline_candidate: bool,
    /// The optimiser does not look into it by what constants name.
    pub is_hidden_in_constants: bool,
}

/// A variable of a module, defined or declared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub name: Arc<str>,
    pub linkage: Linkage,
    pub is_constant: bool,
    pub is_thread_local: bool,
    /// It asks for a section by name, which others may be in.
    pub has_section: bool,
    /// All but the initialiser.
    pub declaration: Digest,
    /// `None` for a declaration.
    pub initialiser: Option<Digest>,
    /// Of a table of virtual functions: the names of its entries, empty for what is no function.
    pub table: Option<Arc<[Arc<str>]>>,
    /// What its initialiser refers to.
    pub functions: Arc<[u32]>,
    pub variables: Arc<[u32]>,
}

/// What the reading of a module depends on besides its bitcode. It is the same for all versions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reads<'a> {
    /// Where in the source code stands counts.
    pub lines: bool,
    /// Functions that are entered once and stay. If there are any, those that a call of
    /// `pthread_create` or `thrd_create` names as a thread's beginning are such functions, too.
    pub entered_once: &'a [String],
}

/// Reads bitcode and digests what its code depends on.
#[cfg(test)]
pub(crate) fn summarise(bitcode: &[u8]) -> Understood<Summary> {
    summarise_after(None, &Arc::from(bitcode), Reads::default()).map(|(summary, _)| summary)
}

/// What was read for a summary: another version of the module is read with less work.
pub(crate) struct Reading {
    pub(super) bitcode: Arc<[u8]>,
    frame: Frame,
    pub(super) bodies: Vec<Option<Placed>>,
    pub(super) fixed: Arc<Fixed>,
    summed: Summed,
}

impl Reading {
    /// Whether both have the same functions and variables, in one order, and differ in bodies only.
    pub fn is_alike(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fixed, &other.fixed)
    }
}

/// A body of a function, in the bitcode.
#[derive(Clone)]
pub(super) struct Placed {
    pub block: Block,
    /// What was understood of it.
    pub body: Option<Arc<Body>>,
}

/// Reads bitcode and digests what its code depends on. What is the same as in `before`, another
/// version, is taken from there: most versions differ in one body and in nothing else.
pub(crate) fn summarise_after(
    before: Option<(&Summary, &Reading)>,
    bitcode: &Arc<[u8]>,
    reads: Reads<'_>,
) -> Understood<(Summary, Reading)> {
    let lines = reads.lines;
    let file = File::read(bitcode)?;
    if let Some((summary, reading)) = before
        && let Ok(was) = File::read(&reading.bitcode)
        && let Some((frame, found)) = reading.frame.find_in(&was, &file)
    {
        let (bodies, same) = read_changed(reading, &was, &file, found, lines);
        let before = Before { summary, summed: &reading.summed, bodies: &reading.bodies, same };
        let (summary, summed) = reading.fixed.sum(&bodies, Some(before))?;
        let (bitcode, fixed) = (bitcode.clone(), reading.fixed.clone());
        return Ok((summary, Reading { bitcode, frame, bodies, fixed, summed }));
    }
    let mut frame = Frame::default();
    let (mut module, outline) = Module::read(&file, &mut frame)?;
    let mut contents =
        Contents::new(outline, &module.attributes, &module.names, &module.metadata, file.strtab)?;
    let blocks = std::mem::take(&mut contents.outline.bodies);
    let mut walker = Walker::new(file.bytes, &mut module, &mut contents, lines);
    let read = |(index, block): (usize, Option<Block>)| {
        block.map(|block| Placed { block, body: walker.read(index, &block).ok().map(Arc::new) })
    };
    let bodies: Vec<_> = blocks.into_iter().enumerate().map(read).collect();
    let fixed = Arc::new(Fixed::new(module, contents, reads.entered_once)?);
    let (summary, summed) = fixed.sum(&bodies, None)?;
    let bitcode = bitcode.clone();
    Ok((summary, Reading { bitcode, frame, bodies, fixed, summed }))
}

/// The bodies of `is`, which are `found` there, and for each global whether its is the same as in
/// `was`, of which `reading` is.
fn read_changed(
    reading: &Reading,
    was: &File<'_>,
    is: &File<'_>,
    found: Vec<Block>,
    lines: bool,
) -> (Vec<Option<Placed>>, Vec<bool>) {
    let (module, contents) = &mut *reading.fixed.tables.lock();
    let mut walker = Walker::new(is.bytes, module, contents, lines);
    let mut found = found.into_iter();
    let mut same = Vec::with_capacity(reading.bodies.len());
    let mut bodies = Vec::with_capacity(reading.bodies.len());
    for (index, before) in reading.bodies.iter().enumerate() {
        let Some((before, block)) = before.as_ref().and_then(|before| Some((before, found.next()?))) else {
            bodies.push(None);
            same.push(true);
            continue;
        };
        let all = before.block.end - before.block.body;
        let length = before.body.as_ref().map_or(all, |body| body.length);
        let stays = is_same_body((was.bytes, &before.block), length, (is.bytes, &block));
        let body = if stays { before.body.clone() } else { walker.read(index, &block).ok().map(Arc::new) };
        same.push(stays);
        bodies.push(Some(Placed { block, body }));
    }
    (bodies, same)
}

pub(super) fn linkage_of(global: &Global) -> Linkage {
    match global.linkage() {
        linkage::APPENDING => Linkage::Appending,
        linkage::INTERNAL => Linkage::Internal,
        linkage::EXTERN_WEAK => Linkage::ExternWeak,
        linkage::COMMON => Linkage::Common,
        linkage::PRIVATE => Linkage::Private,
        linkage::AVAILABLE_EXTERNALLY => Linkage::AvailableExternally,
        linkage::WEAK => Linkage::Weak,
        linkage::WEAK_ODR => Linkage::WeakOdr,
        linkage::LINKONCE => Linkage::LinkOnce,
        linkage::LINKONCE_ODR => Linkage::LinkOnceOdr,
        _ => Linkage::External,
    }
}
