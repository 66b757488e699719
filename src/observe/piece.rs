//! What tools are told of one linked image.
//!
//! Owns the form in which the linker hands it over: where the code is, the names in it, unwind
//! information, and debug sections with every address of the program filled in. References
//! between debug sections are counted from the image's own; [`Fixup`] says where they are, so
//! that the sections of several images can be put one after the other.

use std::ops::Range;
use std::sync::Arc;

/// The debug sections that tools are given. Those that only speed up a search are not among them.
pub(crate) const SECTIONS: [&str; 15] = [
    ".debug_info",
    ".debug_abbrev",
    ".debug_line",
    ".debug_str",
    ".debug_line_str",
    ".debug_str_offsets",
    ".debug_addr",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_loc",
    ".debug_loclists",
    ".debug_aranges",
    ".debug_types",
    ".debug_macro",
    ".debug_macinfo",
];

/// The place of a section in [`SECTIONS`].
pub(crate) fn section_of(name: &str) -> Option<usize> {
    SECTIONS.iter().position(|section| *section == name)
}

/// How much the linker has to hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detail {
    /// Debug and unwind information.
    pub debug: bool,
    /// The code itself.
    pub code: bool,
}

/// A field that holds an offset into a debug section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixup {
    pub at: usize,
    /// In bytes: 4 or 8.
    pub size: usize,
    /// The place in [`SECTIONS`] of what it counts in.
    pub to: usize,
}

/// The bytes of the debug sections of one name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Debug {
    pub bytes: Vec<u8>,
    pub fixups: Vec<Fixup>,
}

/// A function.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub name: Box<str>,
    pub address: u64,
    pub size: u64,
}

/// What tools are told of one linked image.
#[derive(Debug, Default, Clone)]
pub(crate) struct Piece {
    pub module: Arc<str>,
    pub generation: u64,
    pub code: Range<u64>,
    pub functions: Vec<Function>,
    /// Call frame records: where they are, and what they say.
    pub frames: Option<(u64, Vec<u8>)>,
    /// By their places in [`SECTIONS`].
    pub debug: [Debug; SECTIONS.len()],
    /// The code, where that was asked for.
    pub bytes: Vec<u8>,
}

impl Piece {
    pub(super) fn section(&self, name: &str) -> &[u8] {
        section_of(name).map_or(&[], |at| &self.debug[at].bytes)
    }
}
