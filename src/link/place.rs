//! Giving every section of an object an address.
//!
//! Owns which sections share a block, and the private cells an object needs. Constants
//! that outlive the image get provisional addresses here, which [`super::intern`] makes
//! final. Writes nothing to the arena yet; deliberately knows nothing of what relocations
//! store.

use std::collections::HashMap;
use std::sync::Arc;

use super::apply::Site;
use super::constants::{Constant, Key};
use super::escapes::{self, Taken};
use super::homes::{Home, Homes};
use super::image::{Storage, StorageKey};
use super::keeps::{self, Keeps};
use super::needs::Needs;
use super::object::{Kind, Object, Place, Section};
use super::starts::Starts;
use super::storage::{Kept, Misfit};
use super::thread_storage::PlacedLocal;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Arena, Block, Space};
use crate::table::SymbolId;
use crate::tls::TlsBlock;
use runtime_stubs::VENEER_SIZE;

const LE: object::LittleEndian = object::LittleEndian;

/// Which memory a section's bytes are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Nowhere,
    Code,
    Constants,
    /// Index into [`Placement::shared`].
    Shared(usize),
    /// Index into [`Placement::variables`].
    Variable(usize),
    /// Index into [`Placement::locals`].
    ThreadLocal(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub area: Area,
    /// Where the section's bytes start in their area's buffer.
    pub offset: usize,
    /// Where it starts at run time; for thread-local sections its offset in the block.
    pub address: u64,
}

/// A block and the bytes it will be filled with.
pub(super) struct Buffer {
    pub block: Option<Block>,
    pub bytes: Vec<u8>,
}

impl Buffer {
    pub(super) fn address(&self) -> u64 {
        self.block.as_ref().map_or(0, Block::address)
    }
}

pub(super) struct Variable {
    pub key: StorageKey,
    pub storage: Arc<Storage>,
    /// The initial bytes, for storage that is new; `None` where the value is kept.
    pub fresh: Option<Vec<u8>>,
    /// The section; a COMMON variable has none.
    pub section: Option<usize>,
    /// Its variables, where the key is not the name of the only one.
    pub names: Box<[Box<str>]>,
}

/// A section of constants that outlives the image.
pub(super) struct Shared {
    pub section: usize,
    /// Set by [`super::intern`].
    pub constant: Option<(Key, Arc<Constant>)>,
    /// The bytes, where nothing of that content is there yet.
    pub fresh: Option<Vec<u8>>,
}

/// An object with an address for everything.
pub(crate) struct Placement<'d> {
    pub object: Object<'d>,
    pub(super) sections: Vec<Placed>,
    /// The private copies of sections that have two, see [`Home::Both`].
    pub(super) copies: HashMap<usize, Placed, foldhash::fast::RandomState>,
    pub(super) starts: Starts,
    pub(super) homes: Homes,
    pub(super) keeps: Option<Keeps>,
    /// Instructions that take the address of a function, and have no relocation.
    pub(super) taken: Vec<Taken>,
    pub(super) code: Buffer,
    pub(super) constants: Buffer,
    pub(super) shared: Vec<Shared>,
    pub(super) variables: Vec<Variable>,
    /// The block of its thread-local variables.
    pub(super) thread_locals: Option<Arc<TlsBlock>>,
    pub(super) locals: Vec<PlacedLocal>,
    /// Storage of COMMON symbols, by symbol index.
    pub(super) common: HashMap<usize, u64>,
    /// Where the private cells and pairs start in `constants`, and how many there are.
    pub(super) cells_at: usize,
    pub(super) cells_end: usize,
    /// Where there is room for veneers, up to the end of `code`.
    pub(super) veneers_at: usize,
    /// Variables whose storage was kept.
    pub kept: usize,
    /// Variables that have new storage because the old one does not fit.
    #[allow(dead_code, reason = "for the rules of state")]
    pub misfits: Vec<Misfit>,
    /// Variables that the generation before did not have.
    #[allow(dead_code, reason = "for the rules of state")]
    pub fresh_variables: Vec<Box<str>>,
}

/// Where provisional addresses start, and how many there are for each module of an update.
const PROVISIONAL: u64 = 1 << 63;
const PROVISIONAL_BITS: u32 = 34;

/// What a provisional address stands for: the module, by its position in the update, and
/// the distance into its provisional addresses.
pub(super) fn provisional(address: u64) -> Option<(usize, u64)> {
    let from = address.checked_sub(PROVISIONAL)?;
    // The topmost addresses are small negative numbers, from symbols with absolute values.
    let number = from >> PROVISIONAL_BITS;
    (number < 1 << 28).then_some((number as usize, from & ((1 << PROVISIONAL_BITS) - 1)))
}

/// Places `object`, the `number`-th of its update. `ids` are its symbols in the table;
/// `static_tls` asks for thread-local variables at a constant offset.
pub(crate) fn place<'d>(
    object: Object<'d>,
    number: usize,
    needs: &Needs,
    ids: &[Option<SymbolId>],
    arena: &Arc<Arena>,
    kept: &dyn Kept,
    static_tls: bool,
) -> Result<Placement<'d>> {
    let starts = Starts::new(&object, ids);
    let labels_stay = kept.labels_stay();
    let mut homes = Homes::choose(&object, ids, &starts, labels_stay);
    let escapes = escapes::find(&object, ids, &starts, labels_stay);
    let keeps = keeps::find(&object, ids, &starts, &homes, labels_stay, escapes.unclear);
    if kept.is_transient() {
        homes.end_with_code();
    }
    let mut sections = vec![Placed { area: Area::Nowhere, offset: 0, address: 0 }; object.sections.len()];
    let mut code = gather(&object, &homes, &mut sections, Area::Code, arena.arch())?;
    let veneers_at = code.bytes.len().next_multiple_of(VENEER_SIZE);
    if !needs.far.is_empty() {
        let written = code.bytes.len();
        code.bytes.resize(veneers_at + needs.far.len() * VENEER_SIZE, 0);
        arena.arch().trap_fill(&mut code.bytes[written.next_multiple_of(4)..]);
    }
    let mut constants = gather(&object, &homes, &mut sections, Area::Constants, arena.arch())?;
    let cells_at = constants.bytes.len().next_multiple_of(16);
    let cells_end = cells_at + needs.pairs * 16 + needs.cells * 8;
    if cells_end > cells_at {
        constants.bytes.resize(cells_end, 0);
        constants.align = constants.align.max(16);
    }
    let mut placement = Placement {
        code: code.allocate(arena, Space::Code)?,
        constants: constants.allocate(arena, Space::ReadOnly)?,
        sections,
        copies: HashMap::default(),
        starts,
        homes,
        keeps,
        taken: escapes.taken,
        object,
        shared: Vec::new(),
        variables: Vec::new(),
        thread_locals: None,
        locals: Vec::new(),
        common: HashMap::new(),
        cells_at,
        cells_end,
        veneers_at,
        kept: 0,
        misfits: Vec::new(),
        fresh_variables: Vec::new(),
    };
    for placed in &mut placement.sections {
        match placed.area {
            Area::Code => placed.address = placement.code.address() + placed.offset as u64,
            Area::Constants => placed.address = placement.constants.address() + placed.offset as u64,
            _ => {}
        }
    }
    placement.place_shared(number);
    placement.place_variables(ids, arena, kept)?;
    placement.place_common(ids, arena, kept)?;
    placement.place_thread_locals(ids, kept, static_tls)?;
    Ok(placement)
}

struct Gathered {
    bytes: Vec<u8>,
    align: u64,
}

/// Lays the sections of an area one after the other.
fn gather(
    object: &Object<'_>,
    homes: &Homes,
    placed: &mut [Placed],
    area: Area,
    arch: runtime_stubs::Arch,
) -> Result<Gathered> {
    let wanted = |index: usize, section: &Section<'_>| match section.kind {
        Kind::Code => area == Area::Code,
        Kind::Constant => area == Area::Constants && *homes.of(index) != Home::Shared,
        Kind::Init | Kind::Fini | Kind::Frames => area == Area::Constants,
        _ => false,
    };
    let members = || object.sections.iter().enumerate().filter(|&(index, s)| wanted(index, s));
    let total: u64 = members().map(|(_, s)| s.size + s.align + 8).sum();
    if total > u64::from(u32::MAX) / 2 {
        return Err(Error::new(ErrorKind::Link, format!("the object's sections take {total} bytes"))
            .hint("more than the arena can hold: split the file"));
    }
    let mut bytes = Vec::with_capacity(total as usize);
    let mut align = 1;
    for (index, section) in members() {
        let start = bytes.len().next_multiple_of(section.align as usize);
        let gap = bytes.len();
        bytes.resize(start, 0);
        if area == Area::Code {
            arch.trap_fill(&mut bytes[gap.next_multiple_of(4).min(start)..start]);
        }
        align = align.max(section.align);
        placed[index] = Placed { area, offset: start, address: 0 };
        bytes.extend_from_slice(section.bytes);
        // The records of .eh_frame end with a zero length word.
        let tail = if section.kind == Kind::Frames { 4 } else { 0 };
        bytes.resize(start + section.size as usize + tail, 0);
    }
    if bytes.is_empty() && is_used(object, placed, area) {
        // An empty function, or an array of nothing, still has an address.
        bytes.push(0);
    }
    Ok(Gathered { bytes, align })
}

/// Whether anything names, or refers to, a section of `area`.
fn is_used(object: &Object<'_>, placed: &[Placed], area: Area) -> bool {
    let inside = |symbol: usize| match object.symbols[symbol].place {
        Place::Section(section) => placed[section].area == area,
        _ => false,
    };
    let named = (0..object.symbols.len()).any(|i| inside(i) && !object.symbols[i].name.is_empty());
    let referred = || {
        let relocations = object.sections.iter().flat_map(|section| section.relocations);
        relocations.into_iter().any(|relocation| inside(relocation.r_sym(LE, false) as usize))
    };
    named || referred()
}

impl Gathered {
    fn allocate(self, arena: &Arc<Arena>, space: Space) -> Result<Buffer> {
        let block = match self.bytes.len() {
            0 => None,
            len => Some(arena.allocate(space, len, self.align as usize)?),
        };
        Ok(Buffer { block, bytes: self.bytes })
    }
}

impl Placement<'_> {
    /// Gives the constants that outlive the image a provisional address each.
    fn place_shared(&mut self, number: usize) {
        let mut next = PROVISIONAL + ((number as u64) << PROVISIONAL_BITS);
        for (index, section) in self.object.sections.iter().enumerate() {
            match self.homes.of(index) {
                Home::Private => continue,
                Home::Shared => {}
                Home::Both(_) => {
                    self.copies.insert(index, self.sections[index]);
                }
            }
            // Apart, so that the end of one is not the start of another.
            let area = Area::Shared(self.shared.len());
            self.sections[index] = Placed { area, offset: 0, address: next };
            self.shared.push(Shared { section: index, constant: None, fresh: None });
            next += (section.size + 1).next_multiple_of(16);
        }
    }

    /// Where what leads to `offset` of `section` leads: to which copy, if there are two.
    pub(super) fn copy_at(&self, section: usize, offset: u64) -> Placed {
        match self.copies.get(&section) {
            Some(copy) if self.homes.is_private(section, offset) => *copy,
            _ => self.sections[section],
        }
    }

    /// What the site is in, if that may outlive the image.
    pub(super) fn outliving(&self, site: &Site) -> Option<Arc<dyn Send + Sync>> {
        match self.sections[site.section].area {
            Area::Variable(index) => Some(self.variables[index].storage.clone()),
            Area::Shared(index) if !site.copy => {
                self.shared[index].constant.as_ref().map(|(_, constant)| constant.clone() as _)
            }
            _ => None,
        }
    }

    /// The object's thread-local block.
    pub(crate) fn thread_locals(&self) -> Option<&Arc<TlsBlock>> {
        self.thread_locals.as_ref()
    }

    /// The storage of every section of variables, with its key.
    pub(crate) fn storages(&self) -> impl Iterator<Item = (&StorageKey, &Arc<Storage>)> {
        self.variables.iter().map(|variable| (&variable.key, &variable.storage))
    }
}
