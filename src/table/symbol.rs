//! One symbol: who provides it, who wants it, and which provider wins.
//!
//! A symbol has any number of providers: the strongest wins, among equals the newest. Owns
//! that rule; deliberately knows nothing of cells and of the other symbols.

use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use super::handles::Handles;
use super::signatures::SignatureId;
use super::slots::PairIndex;
use crate::memory::Block;

/// An index of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SymbolId(pub u32);

/// Who provides a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// What the C library links statically into every program, provided by hotslot.
    Builtin,
    Host,
    Module(u32),
    /// The process: a shared library, found by name.
    Process,
}

/// How strong a definition is; the order is the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A definition that was replaced or removed and is still in place. It serves local
    /// functions, whose address somebody (an exit handler, a table) got from that body's
    /// module, and the code of that module that still uses a variable.
    Retired,
    Process,
    Weak,
    Common,
    Strong,
    Builtin,
}

/// What a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A function body; the symbol's address is its stub.
    Function(u64),
    /// Storage, or an absolute value; the symbol's address is this.
    Data(u64),
    /// A function of the process, whose own address is kept.
    Process(u64),
    /// A variable of the process.
    ProcessData(u64),
    /// A thread-local variable: the word of its pair.
    ThreadLocal(u64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Provider {
    pub owner: Owner,
    pub rank: Rank,
    /// Later definitions have higher numbers.
    pub order: u64,
    pub target: Target,
    /// In bytes, as the object that defines it says; 0 where nobody does.
    pub size: u64,
    /// The type of a function, where it is known.
    pub signature: SignatureId,
}

/// A word in the arena that waits for the symbol to be defined.
#[derive(Clone)]
pub(crate) struct Pending {
    pub address: u64,
    pub addend: u64,
    /// Lives as long as the memory that the word is in.
    pub within: Weak<dyn Send + Sync>,
}

/// A module that refers to a symbol without defining it, and how: in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want(u32);

impl Want {
    const CALLED: u32 = 1 << 31;
    const REQUIRED: u32 = 1 << 30;

    pub(crate) fn new(module: u32, called: bool, required: bool) -> Self {
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        Self(module | flag(called, Self::CALLED) | flag(required, Self::REQUIRED))
    }

    /// The symbol must be defined.
    pub(crate) fn required(self) -> bool {
        self.0 & Self::REQUIRED != 0
    }

    pub(crate) fn module(self) -> u32 {
        self.0 & !(Self::CALLED | Self::REQUIRED)
    }
}

/// There may be hundreds of thousands: what most do not have is in [`Rare`].
pub(crate) struct Symbol {
    pub name: Box<str>,
    pub providers: SmallVec<[Provider; 1]>,
    /// Modules whose code or data refers to it without defining it.
    pub wanted_by: SmallVec<[Want; 4]>,
    /// It has been a function before.
    function: bool,
    /// It is a local function of some module, under a name that includes the module's.
    local: bool,
    /// It is one, and its address may be anywhere: not only calls refer to it.
    pub exposed: bool,
    /// Kept for good: a handle, an address or a host definition refers to it.
    pub pinned: bool,
    /// How many images, of code that is live, kept or only prepared, name its cells.
    pub holds: u32,
    /// How many of them do not define it.
    pub wants: u32,
    rare: Option<Box<Rare>>,
}

/// A module's name and generation.
pub(crate) type Version = (Arc<str>, u64);

/// What few symbols have.
#[derive(Default)]
pub(crate) struct Rare {
    pub pending: Vec<Pending>,
    pub pair: Option<PairIndex>,
    /// Its definition is an indirect function: what to ask, and whose it is. Calls go through
    /// the thunk until somebody has asked.
    pub resolver: Option<(u64, Owner, u64)>,
    /// Where calls go while nothing defines the symbol.
    pub missing: Option<Block>,
    /// Who defined it last, where nothing does any more.
    pub last_owner: Option<Version>,
    /// What it was compiled as.
    pub last_signature: SignatureId,
    pub handles: Handles,
    /// The update that last took it, a variable, away from where it was.
    pub departed: u64,
    /// The update that last gave it, a variable, another place.
    pub moved: u64,
}

impl Symbol {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            providers: SmallVec::new(),
            wanted_by: SmallVec::new(),
            function: false,
            local: name.contains('\0'),
            exposed: false,
            pinned: false,
            holds: 0,
            wants: 0,
            rare: None,
        }
    }

    /// The name as the source has it, without the module that a local function is scoped to.
    pub(crate) fn plain_name(&self) -> &str {
        self.name.split('\0').next().unwrap_or_default()
    }

    /// It is a local function of some module.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// It is, or was, a function.
    pub(crate) fn was_function(&self) -> bool {
        self.function
    }

    pub(crate) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// The rare parts, to be looked through, if there are any.
    pub(crate) fn rare_if_any(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    /// The rare parts, to be added to.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The variable that was last, while code may be running that uses it.
    pub(super) fn retired_data(&self) -> Option<Target> {
        let retired = self.retired().map(|p| p.target);
        retired.filter(|target| !matches!(target, Target::Function(_)))
    }

    /// The provider that is used: they are sorted, strongest and newest last.
    pub(crate) fn winner(&self) -> Option<&Provider> {
        self.providers.last().filter(|p| p.rank > Rank::Retired || self.local)
    }

    /// A definition of it by `target` waits for its first call to be compiled: calls go where
    /// they go while nothing defines it.
    pub(crate) fn is_lazy(&self, target: Target) -> bool {
        let thunk = self.rare().filter(|rare| rare.resolver.is_none()).and_then(|rare| rare.missing.as_ref());
        thunk.is_some_and(|thunk| target == Target::Function(thunk.address()))
    }

    /// Adds a provider, in its place.
    pub(crate) fn provide(&mut self, provider: Provider) {
        self.function |= matches!(provider.target, Target::Function(_));
        let at = self.providers.partition_point(|p| (p.rank, p.order) <= (provider.rank, provider.order));
        self.providers.insert(at, provider);
    }

    /// Takes back what `owner` provides.
    pub(crate) fn retract(&mut self, owner: Owner) -> Option<Provider> {
        let at = self.providers.iter().position(|p| p.owner == owner && p.rank > Rank::Retired)?;
        Some(self.providers.remove(at))
    }

    /// Keeps a body that was retracted reachable by its address, as the last resort.
    pub(crate) fn retire(&mut self, body: Provider) {
        self.providers.retain(|p| p.rank > Rank::Retired);
        self.providers.insert(0, Provider { rank: Rank::Retired, ..body });
    }

    /// Ends [`Self::retire`].
    pub(crate) fn drop_retired(&mut self) {
        self.providers.retain(|p| p.rank > Rank::Retired);
    }

    /// A word in memory that still exists waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.rare().is_some_and(|rare| rare.pending.iter().any(|p| p.within.strong_count() > 0))
    }

    /// The types under which the host holds handles to it.
    pub(crate) fn live_handles(&self) -> impl Iterator<Item = &str> {
        self.rare().into_iter().flat_map(|rare| rare.handles.live())
    }

    /// The body kept by [`Self::retire`].
    pub(crate) fn retired(&self) -> Option<&Provider> {
        self.providers.first().filter(|p| p.rank == Rank::Retired)
    }

    /// Some reference is a call, so that an undefined symbol is taken for a function.
    pub(crate) fn called(&self) -> bool {
        self.wanted_by.iter().any(|want| want.0 & Want::CALLED != 0)
    }

    /// Some reference is not weak: the symbol must be defined before it is used.
    pub(crate) fn required(&self) -> bool {
        self.wanted_by.iter().any(|want| want.0 & Want::REQUIRED != 0)
    }
}
