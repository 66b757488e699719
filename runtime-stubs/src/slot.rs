//! Where the cells of a symbol lie, by arithmetic.
//!
//! Owns the layout of the central table: four arrays, indexed by the symbol. Does not know where the
//! arrays are mapped, how long they are, or what their cells hold at any moment.

use crate::STUB_SIZE;

/// Size of a call slot and of an address cell: one pointer.
pub const CELL_SIZE: u64 = 8;

/// Size of a pair: two words that are filled in together. A thread-local variable has one, either
/// {module, offset} for `__tls_get_addr` or {entry, argument} for a TLS descriptor.
pub const PAIR_SIZE: u64 = 16;

/// The four arrays of the table, by the address at which generated code sees them.
///
/// Symbol `i` has a *call slot* (what `call *slot(%rip)` and its stub load), an *address cell* (what
/// a load of the symbol's address reads: its stub, or a variable's storage), a *stub*, and a *pair*.
/// Sums wrap; a layout in real memory never gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableLayout {
    /// Start of the call slots.
    pub calls: u64,
    /// Start of the address cells.
    pub addrs: u64,
    /// Start of the stubs.
    pub stubs: u64,
    /// Start of the pairs.
    pub pairs: u64,
}

impl TableLayout {
    /// The slot that a call of symbol `index` loads.
    pub const fn call_slot(&self, index: u32) -> u64 {
        element(self.calls, CELL_SIZE, index)
    }

    /// The cell that holds the address of symbol `index`.
    pub const fn addr_cell(&self, index: u32) -> u64 {
        element(self.addrs, CELL_SIZE, index)
    }

    /// The stub of symbol `index`: a function's address for life.
    pub const fn stub(&self, index: u32) -> u64 {
        element(self.stubs, STUB_SIZE as u64, index)
    }

    /// The pair of symbol `index`.
    pub const fn pair(&self, index: u32) -> u64 {
        element(self.pairs, PAIR_SIZE, index)
    }

    /// Which symbol's stub covers `address`, in a table of `count` symbols.
    pub const fn stub_index(&self, address: u64, count: u32) -> Option<u32> {
        let index = address.wrapping_sub(self.stubs) / STUB_SIZE as u64;
        if index < count as u64 { Some(index as u32) } else { None }
    }
}

const fn element(base: u64, size: u64, index: u32) -> u64 {
    base.wrapping_add(size * index as u64)
}
