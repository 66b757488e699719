//! The arena: one reservation cut into spaces, and the blocks handed out from them.
//!
//! Owns the layout of the reservation and the life of every block (a dropped block is
//! filled with trap bytes and free again). It deliberately knows nothing of what the
//! bytes mean.
//!
//! A child of fork has the same memory file for the table, code and constants. It never writes
//! there, and its parent does not either any more: before its next write it [takes the arena
//! back](Arena::take_back), which gives it a copy of the file. So the child keeps everything
//! as it was at the fork, for as long as it lives, and a fork costs nothing until the parent
//! changes something.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use runtime_stubs::{Arch, TableLayout};

use super::backing::Tools;
use super::extents::{Extents, GRANULE};
use super::os::{self, Reservation, View};
use crate::error::{Error, ErrorKind, Result};
use crate::seeded::{Bug, bug};

/// What a block is for, which decides how generated code may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// Machine code: executed and read by generated code, written by the host only.
    Code,
    /// Constants: read by generated code, written by the host only.
    ReadOnly,
    /// Variables: read and written by generated code.
    Data,
}

const SPACES: usize = 3;

/// Bytes in use in each space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub code: usize,
    pub read_only: usize,
    pub data: usize,
}

/// The memory of one runtime.
pub(crate) struct Arena {
    memory: Reservation,
    arch: Arch,
    /// The process that made it, see [`Arena::is_ours`].
    fork_depth: usize,
    /// How many children of fork may have the file, and in the high half how many files there
    /// were before.
    lent: AtomicU64,
    /// Held while the file is replaced.
    taking_back: Mutex<()>,
    /// Set when nothing is used again: blocks go with the whole.
    closed: AtomicBool,
    /// Addresses of the slot table and stubs, at the start of the reservation.
    layout: TableLayout,
    symbols: u32,
    pairs: u32,
    /// Offset of each space in the reservation, and what is free of it.
    spaces: [(usize, usize, Mutex<Extents>); SPACES],
}

/// The file that a child was lent, see [`Arena::lend`].
pub(crate) struct Lent(u64);

/// The smallest and largest reservation, in bytes. The largest keeps every distance in
/// the reach of a 32-bit displacement.
pub(crate) const MIN_SIZE: usize = 4 << 20;
pub(crate) const MAX_SIZE: usize = (2 << 30) - (1 << 20);

impl Arena {
    /// Reserves `size` bytes of address space, clamped to [`MIN_SIZE`]..=[`MAX_SIZE`].
    /// Memory is used only as blocks are written.
    #[cfg(test)]
    pub(crate) fn new(arch: Arch, size: usize) -> Result<Arc<Self>> {
        Self::with_tools(arch, size, Tools::default())
    }

    /// The same, where `tools` have to do with code.
    pub(crate) fn with_tools(arch: Arch, size: usize, tools: Tools) -> Result<Arc<Self>> {
        let page = os::page_size();
        let size = size.clamp(MIN_SIZE, MAX_SIZE).next_multiple_of(page);
        // One symbol for each KiB of the arena; a pair cell (TLS) for every fourth.
        let symbols = size / 1024;
        let pairs = symbols / 4;
        let table = (symbols * 16 + pairs * 16).next_multiple_of(page);
        let stubs = (symbols * runtime_stubs::STUB_SIZE).next_multiple_of(page);
        let rest = size - table - stubs;
        let code = (rest / 100 * 40).next_multiple_of(page);
        let read_only = (rest / 100 * 20).next_multiple_of(page);
        let file_len = table + stubs + code + read_only;
        let memory = Reservation::new(
            size,
            file_len,
            &[(table, View::Read), (stubs + code, View::Execute), (read_only, View::Read)],
            tools,
        )?;
        // The first and last page of the data space catch overruns from both sides.
        memory.guard(file_len, page)?;
        memory.guard(size - page, page)?;
        let (code_at, read_only_at) = (table + stubs, table + stubs + code);
        let (data_at, data) = (file_len + page, size - file_len - 2 * page);
        let base = memory.base();
        let layout = TableLayout {
            calls: base,
            addrs: base + (symbols * 8) as u64,
            pairs: base + (symbols * 16) as u64,
            stubs: base + table as u64,
        };
        let space = |at, len| (at, len, Mutex::new(Extents::new(len / GRANULE * GRANULE)));
        Ok(Arc::new(Self {
            memory,
            arch,
            fork_depth: os::fork_depth(),
            lent: AtomicU64::new(0),
            taking_back: Mutex::new(()),
            closed: AtomicBool::new(false),
            layout,
            symbols: symbols as u32,
            pairs: pairs as u32,
            spaces: [space(code_at, code), space(read_only_at, read_only), space(data_at, data)],
        }))
    }

    pub(crate) fn arch(&self) -> Arch {
        self.arch
    }

    pub(crate) fn table_layout(&self) -> TableLayout {
        self.layout
    }

    /// How many symbols the table has room for.
    pub(crate) fn symbol_capacity(&self) -> u32 {
        self.symbols
    }

    /// How many pair cells the table has room for.
    pub(crate) fn pair_capacity(&self) -> u32 {
        self.pairs
    }

    /// The whole reservation, first address to behind the last.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.memory.base(), self.memory.base() + self.memory.len() as u64)
    }

    /// Whether this process made the arena. In a child of fork the code and the table are
    /// still the parent's: to write them would change the parent.
    pub(crate) fn is_ours(&self) -> bool {
        self.fork_depth == os::fork_depth()
    }

    /// To be called before a fork, while nobody writes.
    pub(crate) fn lend(&self) -> Lent {
        Lent(self.lent.fetch_add(1, Ordering::AcqRel) >> 32)
    }

    /// Ends [`Self::lend`], once the child has ended.
    pub(crate) fn give_back(&self, lent: Lent) {
        let _not_while_replaced = self.taking_back.lock();
        let one_less = |now: u64| (now >> 32 == lent.0 && now as u32 > 0).then(|| now - 1);
        let _ = self.lent.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
    }

    fn has_heirs(&self) -> bool {
        self.lent.load(Ordering::Acquire) as u32 > 0
    }

    /// To be called in the child of a fork.
    pub(crate) fn start_child(&self) {
        if !self.is_ours() {
            self.memory.lock_alias();
        }
    }

    /// Refuses in a child of fork.
    pub(crate) fn check_ours(&self) -> Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Memory, "a child of fork cannot change its parent's modules")
            .hint("make a runtime of the child's own"))
    }

    /// Makes sure that this process may write, and that no other sees what it writes. What is
    /// to be written after this must be written before the next fork. So whoever calls it holds a
    /// lock that forks wait for: a child that is born meanwhile would be forgotten, and see
    /// everything that is written from then on.
    pub(crate) fn take_back(&self) -> Result<()> {
        self.check_ours()?;
        if self.has_heirs() {
            let _one_at_a_time = self.taking_back.lock();
            if self.has_heirs() {
                self.memory.part_from_heirs()?;
                let files = self.lent.load(Ordering::Relaxed) >> 32;
                self.lent.store((files + 1) << 32, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Whether `offset` may be written. A caller that cannot fail has taken the arena back
    /// before; if a fork came between and there is no memory for a copy, a child sees what is
    /// written, which is better than a parent whose table is half changed.
    fn may_write(&self, offset: usize) -> bool {
        !self.memory.is_shared(offset) || self.take_back().is_ok() || self.is_ours()
    }

    /// Ends the arena: nothing in it is used again, and blocks need not be cleared.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Takes a block of at least `len` bytes at a multiple of `align`. Data blocks are
    /// zeroed; the others hold whatever was there until they are filled.
    pub(crate) fn allocate(self: &Arc<Self>, space: Space, len: usize, align: usize) -> Result<Block> {
        let full = || {
            Error::new(
                ErrorKind::Memory,
                format!("the arena has no room for {len} more bytes of {}", space.name()),
            )
            .hint("raise the arena's size (Builder::arena_size), or free what is retired")
        };
        crate::fault::step("arena")?;
        self.take_back()?;
        let align = align.max(GRANULE);
        let len = len.max(1).checked_next_multiple_of(GRANULE).ok_or_else(full)?;
        let (at, _, extents) = &self.spaces[space as usize];
        // Extents are relative to their space, whose start is page aligned only: a larger
        // alignment is met by asking for room to move.
        let slack = if align > os::page_size() { align } else { 0 };
        let padded = len.checked_add(slack).ok_or_else(full)?;
        let taken = extents.lock().take(padded, align.min(os::page_size())).ok_or_else(full)?;
        let start = at + taken;
        let address = (self.memory.base() + start as u64).next_multiple_of(align as u64);
        // Data blocks are cleared when they are returned, so that a large zeroed variable
        // costs no memory until it is used.
        Ok(Block { arena: self.clone(), space, start, taken: padded, address, len })
    }

    /// Makes everything written so far executable by every thread.
    pub(crate) fn publish(&self) {
        os::synchronise_instruction_streams();
    }

    /// Loads the aligned word at `address`, which lies in the arena, with Acquire order.
    pub(crate) fn load(&self, address: u64) -> u64 {
        self.memory.load((address - self.memory.base()) as usize)
    }

    /// Stores to such a word; nothing in a child of fork.
    pub(crate) fn store(&self, address: u64, value: u64, order: Ordering) {
        let offset = (address - self.memory.base()) as usize;
        if self.may_write(offset) {
            self.memory.store(offset, value, order);
        }
    }

    /// Writes bytes at an address that generated code sees, outside of any block's filling;
    /// nothing in a child of fork.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) {
        let offset = (address - self.memory.base()) as usize;
        if self.may_write(offset) {
            self.memory.copy_in(offset, bytes);
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        let used = |space: Space| self.spaces[space as usize].2.lock().used();
        Usage { code: used(Space::Code), read_only: used(Space::ReadOnly), data: used(Space::Data) }
    }

    /// A copy of `len` bytes that generated code sees at `address`.
    pub(crate) fn read(&self, address: u64, len: usize) -> Vec<u8> {
        self.memory.copy_out((address - self.memory.base()) as usize, len)
    }
}

impl Space {
    fn name(self) -> &'static str {
        match self {
            Space::Code => "code",
            Space::ReadOnly => "constants",
            Space::Data => "data",
        }
    }
}

/// A piece of the arena, returned to it when dropped. Whoever drops a block knows that
/// nothing can reach its address any more.
pub(crate) struct Block {
    arena: Arc<Arena>,
    space: Space,
    /// What was taken from the reservation: offset and length, with room for alignment.
    start: usize,
    taken: usize,
    address: u64,
    len: usize,
}

impl Block {
    /// Where generated code sees the block.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The addresses at which generated code sees it.
    pub(crate) fn range(&self) -> Range<u64> {
        self.address..self.address + self.len as u64
    }

    fn offset(&self) -> usize {
        (self.address - self.arena.memory.base()) as usize
    }

    /// A copy of the block's bytes. Generated code may be writing to them meanwhile.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.arena.read(self.address, self.len)
    }

    /// Writes the block's first bytes. Only before its address is published, or where the
    /// caller knows that nothing reads it at the moment.
    pub(crate) fn fill(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.len, "block overrun");
        self.arena.write(self.address, bytes);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.arena.closed.load(Ordering::Relaxed) || !self.arena.is_ours() {
            return;
        }
        // Lost, should there be no memory: to free it would change it for a child.
        if self.space != Space::Data && self.arena.take_back().is_err() {
            return;
        }
        let memory = &self.arena.memory;
        match self.space {
            Space::Code => {
                let mut trap = vec![0; self.len];
                self.arena.arch.trap_fill(&mut trap);
                if !bug(Bug::NoTraps) {
                    memory.copy_in(self.offset(), &trap);
                }
            }
            Space::ReadOnly => memory.fill(self.offset(), self.len, 0),
            Space::Data => memory.clear_private(self.offset(), self.len),
        }
        let (at, _, extents) = &self.arena.spaces[self.space as usize];
        extents.lock().give(self.start - at, self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lent_is_replaced_before_it_is_written() {
        let arena = Arena::new(Arch::X86_64, 0).unwrap();
        let block = arena.allocate(Space::ReadOnly, 9000, 4096).unwrap();
        block.fill(&[7; 9000]);
        let inode = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let start = format!("{:x}-", arena.range().0);
            let line = maps.lines().find(|line| line.starts_with(&start)).unwrap();
            line.split_whitespace().nth(4).unwrap().to_owned()
        };
        let first = inode();
        // One child that has ended, and then another.
        let lent = arena.lend();
        arena.give_back(lent);
        block.fill(&[8]);
        assert_eq!(inode(), first);
        let late = arena.lend();
        arena.lend();
        arena.give_back(late);
        let stale = arena.lend();
        let table = arena.table_layout().calls;
        arena.store(table + 8, 5, Ordering::Release);
        assert_ne!(inode(), first);
        arena.give_back(stale);
        let mut expected = vec![7; 9000];
        expected[0] = 8;
        assert_eq!((arena.load(table + 8), &block.bytes()[..9000]), (5, &expected[..]));
        let second = inode();
        block.fill(&[9]);
        assert_eq!((inode(), block.bytes()[0]), (second, 9));
        arena.lend();
        let fresh = arena.allocate(Space::Code, 100, 16).unwrap();
        fresh.fill(&[1; 100]);
        drop(block);
        assert_eq!(&fresh.bytes()[..100], [1; 100]);
        assert_eq!(arena.usage().read_only, 0);
    }
}
