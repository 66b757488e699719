//! The architecture-dispatched face of the encoders, and their one error.
//!
//! Knows which encoder belongs to which architecture, and nothing about instructions.

use core::fmt;

use crate::{CONTEXT_SIZE, GATE_SIZE, STUB_SIZE, THUNK_SIZE, VENEER_SIZE, aarch64, x86_64};

/// An architecture whose stubs this crate can encode.
///
/// Every method is pure and works on every host. `at` is always the address at which the bytes will
/// *run*, which under a dual mapping is not the address they are written to. `at` is a multiple of
/// [`STUB_SIZE`]; cells are naturally aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64, System V calling convention.
    X86_64,
    /// aarch64, little-endian, AAPCS64.
    Aarch64,
}

/// An instruction at `from` cannot name the address `to`: it is too far away, or not aligned as the
/// instruction needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutOfRange {
    /// Where the stub or thunk starts.
    pub from: u64,
    /// What it should have reached.
    pub to: u64,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address {:#x} is out of reach, or misaligned, for the stub at {:#x}", self.to, self.from)
    }
}

impl core::error::Error for OutOfRange {}

impl Arch {
    /// The architecture this crate was compiled for, if it is one that it can encode.
    pub const HOST: Option<Arch> = if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
        Some(Arch::X86_64)
    } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
        Some(Arch::Aarch64)
    } else {
        None
    };

    /// A stub: the jump through `slot`, and so the address of a function for life.
    pub fn stub(self, at: u64, slot: u64) -> Result<[u8; STUB_SIZE], OutOfRange> {
        match self {
            Arch::X86_64 => x86_64::stub(at, slot),
            Arch::Aarch64 => aarch64::stub(at, slot),
        }
    }

    /// A stub that first adds one to the 64-bit `counter`, atomically.
    ///
    /// `Ok(None)` on aarch64: an atomic add needs at least four instructions beside the jump's three
    /// and does not fit a stub. There, a slot that should count points at a longer thunk instead.
    ///
    /// On x86-64 the increment takes the place of the landing pad: under indirect branch tracking a
    /// counting stub can only be called directly. (Linux does not track indirect branches in user
    /// space at the time of writing.)
    pub fn counting_stub(
        self,
        at: u64,
        slot: u64,
        counter: u64,
    ) -> Result<Option<[u8; STUB_SIZE]>, OutOfRange> {
        match self {
            Arch::X86_64 => x86_64::counting_stub(at, slot, counter).map(Some),
            Arch::Aarch64 => Ok(None),
        }
    }

    /// The target of a slot that has no definition: loads the symbol's `index` and jumps through
    /// `entry_cell`, a cell that holds the address of the runtime's [context thunk].
    ///
    /// [context thunk]: Arch::context_thunk
    pub fn missing_thunk(self, at: u64, index: u32, entry_cell: u64) -> Result<[u8; THUNK_SIZE], OutOfRange> {
        match self {
            Arch::X86_64 => x86_64::missing_thunk(at, index, entry_cell),
            Arch::Aarch64 => aarch64::missing_thunk(at, index, entry_cell),
        }
    }

    /// The step between a missing thunk and the common entry, one for each runtime: pushes the
    /// symbol index and `context`, then jumps to `entry`.
    ///
    /// At `entry` the two words at the top of the stack are `context` and, above it, the index. On
    /// x86-64 the return address follows; on aarch64 it is in `x30`. It names its addresses in full
    /// and so reaches anything.
    pub fn context_thunk(self, context: u64, entry: u64) -> [u8; CONTEXT_SIZE] {
        match self {
            Arch::X86_64 => x86_64::context_thunk(context, entry),
            Arch::Aarch64 => aarch64::context_thunk(context, entry),
        }
    }

    /// The commit thunk: reads the 32-bit commit `word` with acquire order and jumps to `old` while
    /// it is zero, to `new` once it is not.
    ///
    /// Only `word` must be in reach. The two targets are stored in the thunk and may lie anywhere:
    /// either of them may be a function of the host.
    pub fn gate_thunk(self, at: u64, word: u64, old: u64, new: u64) -> Result<[u8; GATE_SIZE], OutOfRange> {
        match self {
            Arch::X86_64 => x86_64::gate_thunk(at, word, old, new),
            Arch::Aarch64 => aarch64::gate_thunk(at, word, old, new),
        }
    }

    /// A jump that does not touch memory, to a `target` within reach: ±2 GiB on x86-64, ±4 GiB on
    /// aarch64, where a direct branch ends at ±128 MiB.
    ///
    /// Meant as the target of direct branches, so it has no landing pad.
    pub fn veneer(self, at: u64, target: u64) -> Result<[u8; VENEER_SIZE], OutOfRange> {
        match self {
            Arch::X86_64 => x86_64::veneer(at, target),
            Arch::Aarch64 => aarch64::veneer(at, target),
        }
    }

    /// A jump to any address, which it carries in its last eight bytes.
    ///
    /// Like a veneer it has no landing pad.
    pub fn far_jump(self, target: u64) -> [u8; VENEER_SIZE] {
        match self {
            Arch::X86_64 => x86_64::far_jump(target),
            Arch::Aarch64 => aarch64::far_jump(target),
        }
    }

    /// Fills `bytes` with trap instructions: freed code, and the gaps between functions.
    ///
    /// On aarch64 `bytes` starts at a multiple of four; an incomplete last word stays a trap prefix.
    pub fn trap_fill(self, bytes: &mut [u8]) {
        match self {
            Arch::X86_64 => x86_64::trap_fill(bytes),
            Arch::Aarch64 => aarch64::trap_fill(bytes),
        }
    }
}
