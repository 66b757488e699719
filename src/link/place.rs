//! Giving every section of an object an address.
//!
//! Owns which sections share a block, which variables keep the storage they had in an
//! earlier generation or share with other modules, and the private cells an object needs.
//! Writes nothing to the arena yet; deliberately knows nothing of what relocations store.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use object::LittleEndian;

use super::image::{Shape, Storage, StorageKey, ThreadLocals};
use super::object::{Binding, Kind, Object, Place, Section};
use super::relocate::{self, Operand};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Arena, Block, Space};
use crate::table::SymbolId;
use crate::tls::TlsBlock;
use runtime_stubs::VENEER_SIZE;

const LE: LittleEndian = LittleEndian;

/// How large a module's thread-local block may be, in bytes.
const MAX_THREAD_LOCAL: u64 = 1 << 28;

/// What the relocations of an object need beside its sections.
#[derive(Default)]
pub(crate) struct Needs {
    /// 8-byte cells and 16-byte pairs of the object's own.
    cells: usize,
    pairs: usize,
    /// What branches of limited reach lead to: each may need a veneer.
    far: HashSet<(usize, i64)>,
    /// Symbols whose offset from the thread pointer must be a constant.
    pub static_tls: Vec<usize>,
}

/// Counts what the relocations need, and refuses types that are unknown.
pub(crate) fn survey(object: &Object<'_>) -> Result<Needs> {
    let mut needs = Needs::default();
    for section in &object.sections {
        for relocation in section.relocations {
            let kind = relocation.r_type(LE, false).0;
            let index = relocation.r_sym(LE, false) as usize;
            let Some(howto) = relocate::howto(object.arch, kind) else {
                let symbol = object.symbols[index].name;
                return Err(Error::new(
                    ErrorKind::Link,
                    format!(
                        "unknown relocation {} at {}+{:#x} against {}",
                        relocate::name(object.arch, kind),
                        section.name,
                        relocation.r_offset.get(LE),
                        if symbol.is_empty() { "a section" } else { symbol },
                    ),
                )
                .about(symbol)
                .hint("compile with -fPIC, with a compiler for this architecture"));
            };
            if relocate::is_far_branch(howto.field) {
                needs.far.insert((index, relocation.r_addend.get(LE)));
            }
            match howto.operand {
                Operand::Cell | Operand::CellOffset if object.symbols[index].binding == Binding::Local => {
                    needs.cells += 1;
                }
                Operand::TlsThreadCell => {
                    needs.cells += 1;
                    needs.static_tls.push(index);
                }
                Operand::TlsThreadOffset => needs.static_tls.push(index),
                Operand::TlsPair | Operand::TlsModulePair => needs.pairs += 1,
                Operand::TlsDescriptor => needs.pairs += 2,
                _ => {}
            }
        }
    }
    Ok(needs)
}

/// Storage that variables may keep.
pub(crate) trait Kept {
    /// Storage that an earlier generation of the module, or another module for a shared
    /// key, has under this key.
    fn storage(&self, key: &StorageKey) -> Option<Arc<Storage>>;
    /// The largest size and alignment of a COMMON variable in this update.
    fn common(&self, symbol: SymbolId) -> (u64, u64);
    /// Thread-local variables of the module's earlier generation.
    fn thread_locals(&self) -> Option<Arc<ThreadLocals>>;
}

/// Which memory a section's bytes are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Nowhere,
    Code,
    Constants,
    /// Index into [`Placement::variables`].
    Variable(usize),
    ThreadLocal,
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
}

/// An object with an address for everything.
pub(crate) struct Placement<'d> {
    pub object: Object<'d>,
    pub(super) sections: Vec<Placed>,
    pub(super) code: Buffer,
    pub(super) constants: Buffer,
    pub(super) variables: Vec<Variable>,
    pub(super) thread_locals: Option<Arc<ThreadLocals>>,
    /// Initial bytes of thread-local variables that are new.
    pub(super) fresh_tls: Option<Vec<u8>>,
    /// Storage of COMMON symbols, by symbol index.
    pub(super) common: HashMap<usize, u64>,
    /// Where the private cells and pairs start in `constants`, and how many there are.
    pub(super) cells_at: usize,
    pub(super) cells_end: usize,
    /// Where there is room for veneers, up to the end of `code`.
    pub(super) veneers_at: usize,
    /// Variables whose storage was kept.
    pub kept: usize,
}

/// Places `object`. `ids` are its symbols in the table; `static_tls` asks for thread-local
/// variables at a constant offset.
pub(crate) fn place<'d>(
    object: Object<'d>,
    needs: &Needs,
    ids: &[Option<SymbolId>],
    arena: &Arc<Arena>,
    kept: &dyn Kept,
    static_tls: bool,
) -> Result<Placement<'d>> {
    let mut sections = vec![Placed { area: Area::Nowhere, offset: 0, address: 0 }; object.sections.len()];
    let mut code = gather(&object, &mut sections, Area::Code, arena.arch())?;
    let veneers_at = code.bytes.len().next_multiple_of(VENEER_SIZE);
    if !needs.far.is_empty() {
        let written = code.bytes.len();
        code.bytes.resize(veneers_at + needs.far.len() * VENEER_SIZE, 0);
        arena.arch().trap_fill(&mut code.bytes[written.next_multiple_of(4)..]);
    }
    let mut constants = gather(&object, &mut sections, Area::Constants, arena.arch())?;
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
        object,
        variables: Vec::new(),
        thread_locals: None,
        fresh_tls: None,
        common: HashMap::new(),
        cells_at,
        cells_end,
        veneers_at,
        kept: 0,
    };
    for placed in &mut placement.sections {
        match placed.area {
            Area::Code => placed.address = placement.code.address() + placed.offset as u64,
            Area::Constants => placed.address = placement.constants.address() + placed.offset as u64,
            _ => {}
        }
    }
    placement.place_variables(ids, arena, kept)?;
    placement.place_common(ids, arena, kept)?;
    placement.place_thread_locals(kept, static_tls)?;
    Ok(placement)
}

struct Gathered {
    bytes: Vec<u8>,
    align: u64,
}

/// Lays the sections of an area one after the other.
fn gather(
    object: &Object<'_>,
    placed: &mut [Placed],
    area: Area,
    arch: runtime_stubs::Arch,
) -> Result<Gathered> {
    let wanted = |section: &Section<'_>| match section.kind {
        Kind::Code => area == Area::Code,
        Kind::Constant | Kind::Init | Kind::Fini | Kind::Frames => area == Area::Constants,
        _ => false,
    };
    let members = || object.sections.iter().enumerate().filter(|(_, s)| wanted(s));
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

fn hash_layout<'a>(parts: impl Iterator<Item = (&'a str, u64, u64)>) -> u64 {
    let mut parts: Vec<_> = parts.collect();
    parts.sort_unstable_by_key(|&(name, offset, _)| (offset, name));
    // A fixed seed: shapes of different generations are compared.
    foldhash::fast::FixedState::with_seed(0).hash_one(parts)
}

impl Placement<'_> {
    fn place_variables(
        &mut self,
        ids: &[Option<SymbolId>],
        arena: &Arc<Arena>,
        kept: &dyn Kept,
    ) -> Result<()> {
        // The symbols of each section, found in one pass.
        let mut named: HashMap<usize, Vec<usize>, foldhash::fast::RandomState> = HashMap::default();
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            if let Place::Section(section) = symbol.place
                && self.object.sections[section].kind == Kind::Variable
                && !symbol.name.is_empty()
            {
                named.entry(section).or_default().push(index);
            }
        }
        for index in 0..self.object.sections.len() {
            let section = &self.object.sections[index];
            let symbols = named.get(&index).map_or(&[][..], Vec::as_slice);
            if section.kind != Kind::Variable || section.size == 0 && symbols.is_empty() {
                continue;
            }
            let mut key = self.storage_key(section, symbols, ids);
            if self.variables.iter().any(|variable| variable.key == key) {
                // As in objects that a linker has combined.
                let number = self.variables.len();
                key = StorageKey::Section(format!("{}#{number}", section.name).into());
            }
            // One variable may move between .data and .bss and change its name's section.
            let layout = match key {
                StorageKey::Section(_) => hash_layout(symbols.iter().map(|&i| {
                    let s = &self.object.symbols[i];
                    (s.name, s.value, s.size)
                })),
                _ => 0,
            };
            let shape = Shape { size: section.size, align: section.align, layout };
            let existing = kept.storage(&key).filter(|storage| storage.shape == shape);
            let (storage, fresh) = match existing {
                Some(storage) => {
                    self.kept += 1;
                    (storage, None)
                }
                None => {
                    let block = arena.allocate(Space::Data, section.size as usize, section.align as usize)?;
                    (Arc::new(Storage { block, shape }), Some(section.bytes.to_vec()))
                }
            };
            self.sections[index] = Placed {
                area: Area::Variable(self.variables.len()),
                offset: 0,
                address: storage.block.address(),
            };
            self.variables.push(Variable { key, storage, fresh });
        }
        Ok(())
    }

    fn storage_key(&self, section: &Section<'_>, symbols: &[usize], ids: &[Option<SymbolId>]) -> StorageKey {
        if let [only] = symbols {
            let symbol = &self.object.symbols[*only];
            if symbol.value == 0 {
                let shared = section.comdat || matches!(symbol.binding, Binding::Weak | Binding::Unique);
                return match ids[*only] {
                    Some(id) if shared => StorageKey::Shared(id),
                    _ => StorageKey::Variable(symbol.name.into()),
                };
            }
        }
        StorageKey::Section(section.name.into())
    }

    fn place_common(&mut self, ids: &[Option<SymbolId>], arena: &Arc<Arena>, kept: &dyn Kept) -> Result<()> {
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            let (Place::Common, Some(id)) = (symbol.place, ids[index]) else { continue };
            let (size, align) = kept.common(id);
            let shape = Shape {
                size: size.max(symbol.size).max(1),
                align: align.max(symbol.value).max(1),
                layout: 0,
            };
            let key = StorageKey::Shared(id);
            let existing = kept.storage(&key);
            if let Some(storage) = &existing
                && (storage.shape.size < shape.size || storage.shape.align < shape.align)
            {
                let (name, is, was) = (symbol.name, shape.size, storage.shape.size);
                let text =
                    format!("common variable {name} is {is} bytes here and {was} in a module loaded before");
                return Err(Error::new(ErrorKind::Link, text)
                    .about(name)
                    .hint("load both in one update, or give it one definition (-fno-common)"));
            }
            let (storage, fresh) = match existing {
                Some(storage) => {
                    self.kept += 1;
                    (storage, None)
                }
                None => {
                    let block = arena.allocate(Space::Data, shape.size as usize, shape.align as usize)?;
                    (Arc::new(Storage { block, shape }), Some(Vec::new()))
                }
            };
            self.common.insert(index, storage.block.address());
            self.variables.push(Variable { key, storage, fresh });
        }
        Ok(())
    }

    fn place_thread_locals(&mut self, kept: &dyn Kept, static_tls: bool) -> Result<()> {
        let (mut size, mut align) = (0u64, 1u64);
        let mut bytes = Vec::new();
        for (index, section) in self.object.sections.iter().enumerate() {
            if section.kind != Kind::ThreadLocal {
                continue;
            }
            let start = size.next_multiple_of(section.align);
            if start > MAX_THREAD_LOCAL {
                break;
            }
            self.sections[index] = Placed { area: Area::ThreadLocal, offset: start as usize, address: start };
            if !section.bytes.is_empty() {
                bytes.resize(start as usize, 0);
                bytes.extend_from_slice(section.bytes);
            }
            size = start + section.size;
            align = align.max(section.align);
        }
        if size == 0 {
            return Ok(());
        }
        if size > MAX_THREAD_LOCAL {
            return Err(Error::new(ErrorKind::Link, format!("{size} bytes of thread-local variables"))
                .hint("every thread would need as much: make them smaller"));
        }
        let layout = hash_layout(self.object.symbols.iter().filter_map(|symbol| match symbol.place {
            Place::Section(section) if self.object.sections[section].kind == Kind::ThreadLocal => {
                Some((symbol.name, self.sections[section].address + symbol.value, symbol.size))
            }
            _ => None,
        }));
        let shape = Shape { size, align, layout };
        let existing = kept.thread_locals().filter(|locals| {
            locals.shape == shape && (!static_tls || locals.block.thread_offset().is_some())
        });
        if existing.is_some() {
            self.kept += 1;
            self.thread_locals = existing;
            return Ok(());
        }
        let block = TlsBlock::register(size as usize, align as usize, static_tls)?;
        self.thread_locals = Some(Arc::new(ThreadLocals { block, shape }));
        self.fresh_tls = Some(bytes);
        Ok(())
    }
}

impl Placement<'_> {
    /// The object's thread-local block.
    pub(crate) fn thread_locals(&self) -> Option<&Arc<ThreadLocals>> {
        self.thread_locals.as_ref()
    }

    /// The storage of every section of variables, with its key.
    pub(crate) fn storages(&self) -> impl Iterator<Item = (&StorageKey, &Arc<Storage>)> {
        self.variables.iter().map(|variable| (&variable.key, &variable.storage))
    }
}
