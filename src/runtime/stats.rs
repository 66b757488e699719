//! What a runtime holds and has done, as numbers.

/// What a runtime holds at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Modules loaded.
    pub modules: usize,
    /// Functions of these that have not been called yet and are compiled when they are
    /// ([`Builder::lazy`](super::Builder::lazy)).
    pub lazy_functions: usize,
    /// Symbols in the table.
    pub symbols: usize,
    /// Bytes of machine code, retired code included.
    pub code_bytes: usize,
    /// Bytes of constants.
    pub constant_bytes: usize,
    /// Bytes of variables.
    pub variable_bytes: usize,
    /// Generations that were replaced and are kept to be returned to.
    pub past: usize,
    /// Generations that nobody can return to and that some thread may still be in.
    pub retired: usize,
    /// Bytes of those, and of what commits left.
    pub retired_bytes: usize,
}

/// What a runtime has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Updates committed.
    pub commits: u64,
    /// Generations that were given better code.
    pub upgrades: u64,
    /// Generations freed.
    pub reclaimed: u64,
    /// Bytes of replaced code and data freed.
    pub reclaimed_bytes: u64,
}
