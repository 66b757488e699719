//! The cells of the table, as memory.
//!
//! Owns which indices are taken and the stores to cells: generated code sees the table
//! read-only, the host stores through the arena's other mapping. A store is one aligned
//! 64-bit Release; a call that loads the slot sees the old or the new target, and with it
//! everything written before the store. It deliberately knows nothing of names.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use runtime_stubs::TableLayout;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::Arena;

/// A pair cell: the two words behind a thread-local variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PairIndex(u32);

pub(crate) struct Slots {
    arena: Arc<Arena>,
    layout: TableLayout,
    next: u32,
    free: Vec<u32>,
    next_pair: u32,
    free_pairs: Vec<u32>,
}

impl Slots {
    pub(crate) fn new(arena: Arc<Arena>) -> Self {
        let layout = arena.table_layout();
        Self { arena, layout, next: 0, free: Vec::new(), next_pair: 0, free_pairs: Vec::new() }
    }

    /// Takes an index whose cells are zero and whose stub is in place.
    pub(crate) fn take(&mut self) -> Result<u32> {
        crate::fault::step("slot")?;
        self.arena.take_back()?;
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.next < self.arena.symbol_capacity() => {
                self.next += 1;
                self.next - 1
            }
            None => {
                return Err(Error::new(
                    ErrorKind::Memory,
                    format!("the table is full: {} symbols", self.arena.symbol_capacity()),
                )
                .hint("raise the arena's size (Builder::arena_size); it has room for one symbol per KiB"));
            }
        };
        let (stub, slot) = (self.layout.stub(index), self.layout.call_slot(index));
        let bytes =
            self.arena.arch().stub(stub, slot).map_err(|e| Error::new(ErrorKind::Link, e.to_string()))?;
        self.store_call(index, 0);
        self.store_address(index, 0);
        self.arena.write(stub, &bytes);
        Ok(index)
    }

    /// Refuses in a child of fork, and otherwise makes sure that what is stored is seen by this
    /// process alone.
    pub(crate) fn writable(&self) -> Result<()> {
        self.arena.take_back()
    }

    /// Returns an index that nothing refers to any more.
    pub(crate) fn give(&mut self, index: u32) {
        // In a child of fork the cells stay as they are: nobody may have the index.
        if !self.arena.is_ours() {
            return;
        }
        self.store_call(index, 0);
        self.store_address(index, 0);
        self.free.push(index);
    }

    pub(crate) fn take_pair(&mut self) -> Result<PairIndex> {
        crate::fault::step("pair")?;
        self.arena.take_back()?;
        if let Some(index) = self.free_pairs.pop() {
            return Ok(PairIndex(index));
        }
        if self.next_pair == self.arena.pair_capacity() {
            return Err(Error::new(
                ErrorKind::Memory,
                "the table has no room for more thread-local variables",
            )
            .hint("raise the arena's size (Builder::arena_size)"));
        }
        self.next_pair += 1;
        Ok(PairIndex(self.next_pair - 1))
    }

    pub(crate) fn give_pair(&mut self, pair: PairIndex) {
        self.free_pairs.push(pair.0);
    }

    /// Indices in use.
    pub(crate) fn len(&self) -> usize {
        self.next as usize - self.free.len()
    }

    pub(crate) fn layout(&self) -> &TableLayout {
        &self.layout
    }

    /// Where generated code loads the target of calls to `index` from.
    pub(crate) fn call_slot(&self, index: u32) -> u64 {
        self.layout.call_slot(index)
    }

    /// Where generated code loads the address of `index` from.
    pub(crate) fn address_cell(&self, index: u32) -> u64 {
        self.layout.addr_cell(index)
    }

    pub(crate) fn stub(&self, index: u32) -> u64 {
        self.layout.stub(index)
    }

    pub(crate) fn pair(&self, pair: PairIndex) -> u64 {
        self.layout.pair(pair.0)
    }

    /// Where calls of `index` go now.
    pub(crate) fn call(&self, index: u32) -> u64 {
        self.arena.load(self.call_slot(index))
    }

    pub(crate) fn store_call(&self, index: u32, target: u64) {
        self.arena.store(self.call_slot(index), target, Ordering::Release);
    }

    pub(crate) fn store_address(&self, index: u32, address: u64) {
        self.arena.store(self.address_cell(index), address, Ordering::Release);
    }

    /// Fills a word of the arena that waited for an address.
    pub(crate) fn fill_word(&self, at: u64, value: u64) {
        // Packed structures may hold unaligned pointers; nothing depends on those being
        // written in one step.
        if at.is_multiple_of(8) {
            // What the program has stored there meanwhile stands.
            if self.arena.load(at) == 0 {
                self.arena.store(at, value, Ordering::Release);
            }
        } else if self.arena.read(at, 8) == [0; 8] {
            self.arena.write(at, &value.to_le_bytes());
        }
    }

    /// Points a pair at a thread-local variable. One word says it all, the second stays
    /// zero, so that a reader never sees half of a change.
    pub(crate) fn store_pair(&self, pair: PairIndex, word: u64) {
        self.arena.store(self.pair(pair), word, Ordering::Release);
    }
}
