//! Writing the relocations of a placed object, and filling its blocks.
//!
//! Owns the meaning of every operand: which references go to a stub, which straight to a
//! slot, which to a body. A direct call inside a module goes to the body only where the
//! callee is local; whatever takes a function's address gets its stub, so that stored
//! pointers follow a replacement. Deliberately stores no slot and runs no code.

use std::collections::HashMap;

use object::LittleEndian;
use runtime_stubs::entry::TlsDescArgument;
use runtime_stubs::{Arch, TableLayout, VENEER_SIZE};

use super::frames;
use super::image::Image;
use super::object::{Binding, Kind, Object, Place, Relocation, Section, SymbolKind};
use super::place::{Area, Placement};
use super::relocate::{self, Field, Operand, Unwritable};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{Rank, SymbolId, Target};

const LE: LittleEndian = LittleEndian;

/// A symbol of the object with its definition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    pub id: SymbolId,
    pub rank: Rank,
    pub target: Target,
    /// The target is a function that returns the function to use.
    pub indirect: bool,
}

/// What the linker asks about symbols other than the object's own local ones.
pub(crate) trait Resolve {
    /// What `id` will be once the update under way is committed.
    fn target(&mut self, id: SymbolId) -> Option<Target>;
    /// The symbol for a local function of this module whose address is taken.
    fn local_function(&mut self, name: &str, body: u64, indirect: bool) -> Result<SymbolId>;
    /// The word behind a thread-local variable of a shared library.
    fn foreign_thread_local(&mut self, id: SymbolId) -> Option<u64>;
    /// The address of the pair of a thread-local symbol.
    fn pair(&mut self, id: SymbolId) -> Result<u64>;
    /// Notes a reference to a symbol that the object does not define.
    fn refer(&mut self, id: SymbolId, called: bool, required: bool);
    /// Notes a word that waits for `id` to be defined.
    fn wait(&mut self, id: SymbolId, address: u64, addend: u64);
}

/// What a linked object does to the table.
pub(crate) struct Links {
    pub image: Image,
    /// Storage whose value was kept.
    pub kept: usize,
}

impl Placement<'_> {
    /// The definitions of the object's global symbols.
    pub(crate) fn definitions(&self, ids: &[Option<SymbolId>]) -> Vec<Definition> {
        let mut definitions = Vec::new();
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            let Some(id) = ids[index] else { continue };
            let rank = match symbol.binding {
                Binding::Weak | Binding::Unique => Rank::Weak,
                _ => Rank::Strong,
            };
            let indirect = symbol.kind == SymbolKind::IndirectFunction;
            let (rank, target) = match symbol.place {
                Place::Undefined => continue,
                Place::Absolute => (rank, Target::Data(symbol.value)),
                Place::Common => (Rank::Common, Target::Data(self.common[&index])),
                Place::Section(section) => {
                    let placed = &self.sections[section];
                    let address = placed.address + symbol.value;
                    match self.object.sections[section].kind {
                        Kind::Skipped => continue,
                        Kind::Code if symbol.kind != SymbolKind::Data => (rank, Target::Function(address)),
                        Kind::ThreadLocal => match &self.thread_locals {
                            Some(locals) => (rank, Target::ThreadLocal(locals.block.word(address))),
                            None => continue,
                        },
                        _ => (rank, Target::Data(address)),
                    }
                }
            };
            definitions.push(Definition { id, rank, target, indirect });
        }
        definitions
    }
}

/// Relocates `placement`, fills its blocks and returns the image. `direct` makes every
/// call go through its function's stub.
pub(crate) fn link(
    placement: Placement<'_>,
    ids: &[Option<SymbolId>],
    table: &TableLayout,
    resolve: &mut dyn Resolve,
    direct: bool,
) -> Result<Links> {
    let mut linker = Linker::new(placement, ids, table, resolve, direct);
    for index in 0..linker.placement.object.sections.len() {
        linker.section(index)?;
    }
    linker.finish()
}

struct Linker<'p, 'd> {
    placement: Placement<'d>,
    ids: &'p [Option<SymbolId>],
    table: &'p TableLayout,
    resolve: &'p mut dyn Resolve,
    direct: bool,
    /// Functions by where they start: (section, offset, symbol index), sorted, global
    /// symbols first among those of one place.
    starts: Vec<(usize, u64, usize)>,
    next_cell: usize,
    /// Private cells by what they are for: several instructions may share one, and must
    /// where each holds a part of its address.
    private: HashMap<(Operand, usize), u64>,
    next_veneer: usize,
    /// Veneers by where they lead.
    veneers: HashMap<u64, u64>,
    #[allow(clippy::vec_box, reason = "generated code holds their addresses")]
    descriptors: Vec<Box<TlsDescArgument>>,
}

/// A relocation about to be applied.
#[derive(Clone, Copy)]
struct Site {
    section: usize,
    kind: Kind,
    offset: usize,
    /// Where the field will be at run time.
    place: u64,
    operand: Operand,
    field: Field,
    symbol: usize,
    addend: u64,
    /// Distance from the field to what the processor adds to: 4 for a rip-relative
    /// operand without an immediate.
    bias: u64,
}

impl<'p, 'd> Linker<'p, 'd> {
    fn new(
        placement: Placement<'d>,
        ids: &'p [Option<SymbolId>],
        table: &'p TableLayout,
        resolve: &'p mut dyn Resolve,
        direct: bool,
    ) -> Self {
        let object = &placement.object;
        let mut starts: Vec<_> = (object.symbols.iter().enumerate())
            .filter_map(|(index, symbol)| match symbol.place {
                Place::Section(section)
                    if object.sections[section].kind == Kind::Code
                        && matches!(symbol.kind, SymbolKind::Function | SymbolKind::IndirectFunction) =>
                {
                    Some((section, symbol.value, index))
                }
                _ => None,
            })
            .collect();
        starts.sort_unstable_by_key(|&(section, value, index)| (section, value, ids[index].is_none(), index));
        let next_cell = placement.cells_at;
        let next_veneer = placement.veneers_at;
        Self {
            placement,
            ids,
            table,
            resolve,
            direct,
            starts,
            next_cell,
            private: HashMap::new(),
            next_veneer,
            veneers: HashMap::new(),
            descriptors: Vec::new(),
        }
    }

    fn object(&self) -> &Object<'d> {
        &self.placement.object
    }

    fn section(&mut self, index: usize) -> Result<()> {
        let Section { kind, relocations, .. } = self.object().sections[index];
        let placed = self.placement.sections[index];
        let skip = match placed.area {
            Area::Nowhere => true,
            // A kept value stands; relocating it again would undo what the program stored.
            Area::Variable(variable) => self.placement.variables[variable].fresh.is_none(),
            Area::ThreadLocal => self.placement.fresh_tls.is_none(),
            _ => false,
        };
        for relocation in relocations {
            let site = self.site(index, kind, relocation)?;
            if !skip {
                self.apply(site)?;
            }
        }
        Ok(())
    }

    fn site(&self, section: usize, kind: Kind, relocation: &Relocation) -> Result<Site> {
        let number = relocation.r_type(LE, false).0;
        // `survey` has refused unknown types.
        let howto = relocate::howto(self.object().arch, number)
            .ok_or_else(|| Error::new(ErrorKind::Link, format!("unknown relocation type {number}")))?;
        let offset = relocation.r_offset.get(LE);
        let relative = matches!(howto.field, Field::Word { relative: true, .. });
        let x86_code = kind == Kind::Code && self.object().arch == Arch::X86_64;
        Ok(Site {
            section,
            kind,
            offset: usize::try_from(offset).unwrap_or(usize::MAX),
            place: self.placement.sections[section].address.wrapping_add(offset),
            operand: howto.operand,
            field: howto.field,
            symbol: relocation.r_sym(LE, false) as usize,
            addend: relocation.r_addend.get(LE) as u64,
            bias: if relative && x86_code { 4 } else { 0 },
        })
    }

    fn apply(&mut self, mut site: Site) -> Result<()> {
        let value = match site.operand {
            Operand::None => return Ok(()),
            Operand::Size => self.object().symbols[site.symbol].size.wrapping_add(site.addend),
            Operand::TableBase => self.table.calls.wrapping_add(site.addend),
            Operand::Address => self.address(&site, false)?,
            Operand::Branch => self.address(&site, true)?,
            Operand::AddressOffset => self.address(&site, false)?.wrapping_sub(self.table.calls),
            Operand::StubOffset => self.address(&site, true)?.wrapping_sub(self.table.calls),
            Operand::Cell => self.cell(&mut site)?,
            Operand::CellOffset => self.cell(&mut site)?.wrapping_sub(self.table.calls),
            _ => self.thread_local(&site)?,
        };
        self.write(&site, value)
    }

    fn bytes(&mut self, site: &Site) -> &mut [u8] {
        let placed = self.placement.sections[site.section];
        let all = match placed.area {
            Area::Code => &mut self.placement.code.bytes,
            Area::Constants => &mut self.placement.constants.bytes,
            Area::Variable(index) => match &mut self.placement.variables[index].fresh {
                Some(bytes) => bytes,
                None => return &mut [],
            },
            Area::ThreadLocal => match &mut self.placement.fresh_tls {
                Some(bytes) => bytes,
                None => return &mut [],
            },
            Area::Nowhere => return &mut [],
        };
        let end = placed.offset + self.placement.object.sections[site.section].size as usize;
        let end = end.min(all.len());
        all.get_mut(placed.offset..end).unwrap_or_default()
    }

    fn write(&mut self, site: &Site, value: u64) -> Result<()> {
        let (field, offset, place) = (site.field, site.offset, site.place);
        let value = match relocate::needs_veneer(field, value, place) {
            true => self.veneer(value)?,
            false => value,
        };
        match relocate::write(field, self.bytes(site), offset, value, place) {
            Ok(()) => Ok(()),
            Err(Unwritable::Bounds) => {
                Err(self.error(site, "lies outside its section").hint("the object may be damaged: build it again"))
            }
            Err(Unwritable::Range) => Err(self
                .error(site, &format!("is out of range: {value:#x} cannot be reached from {place:#x}"))
                .hint("compile with -fPIC")),
        }
    }

    /// The address of code of the object's own that jumps to `target`.
    fn veneer(&mut self, target: u64) -> Result<u64> {
        if let Some(&veneer) = self.veneers.get(&target) {
            return Ok(veneer);
        }
        let (at, end) = (self.next_veneer, self.next_veneer + VENEER_SIZE);
        let address = self.placement.code.address() + at as u64;
        let bytes = self.object().arch.veneer(address, target);
        let bytes = bytes.map_err(|e| Error::new(ErrorKind::Link, e.to_string()))?;
        // `survey` counted what branches lead to.
        let room = self.placement.code.bytes.get_mut(at..end);
        let room = room.ok_or_else(|| Error::new(ErrorKind::Link, "more veneers are used than were counted"))?;
        room.copy_from_slice(&bytes);
        self.next_veneer = end;
        self.veneers.insert(target, address);
        Ok(address)
    }

    /// An error that names section, offset, symbol and type of a relocation.
    fn error(&self, site: &Site, what: &str) -> Error {
        let object = self.object();
        let symbol = object.symbols[site.symbol].name;
        let target = match object.symbols[site.symbol].place {
            Place::Section(section) if symbol.is_empty() => object.sections[section].name,
            _ => symbol,
        };
        let section = &object.sections[site.section];
        let number = section
            .relocations
            .iter()
            .find(|r| r.r_offset.get(LE) == site.offset as u64)
            .map_or(0, |r| r.r_type(LE, false).0);
        let kind = relocate::name(object.arch, number);
        Error::new(
            ErrorKind::Link,
            format!("relocation {kind} at {}+{:#x} against {target} {what}", section.name, site.offset),
        )
        .about(symbol)
    }

    /// S + A, or for a branch L + A: what the field's operand should lead to.
    fn address(&mut self, site: &Site, branch: bool) -> Result<u64> {
        let branch = branch || self.is_branch(site);
        match self.ids[site.symbol] {
            Some(id) => self.global_address(site, id, branch),
            None => self.local_address(site, branch),
        }
    }

    fn is_branch(&mut self, site: &Site) -> bool {
        let (offset, x86) = (site.offset, self.object().arch == Arch::X86_64);
        site.kind == Kind::Code && x86 && relocate::x86_64::is_direct_branch(self.bytes(site), offset)
    }

    fn local_address(&mut self, site: &Site, branch: bool) -> Result<u64> {
        let symbol = &self.object().symbols[site.symbol];
        let (value, name) = (symbol.value, symbol.name);
        let section = match symbol.place {
            Place::Section(section) => section,
            Place::Absolute | Place::Undefined => return Ok(value.wrapping_add(site.addend)),
            Place::Common => return Err(self.error(site, "is against a local COMMON symbol")),
        };
        let target = self.placement.sections[section];
        match target.area {
            Area::Nowhere if self.object().sections[section].kind == Kind::Skipped => {
                return Err(self.error(site, "is against a section that is not loaded"));
            }
            Area::ThreadLocal => {
                return Err(self.error(site, "takes a thread-local variable for an ordinary one"));
            }
            _ => {}
        }
        let body = target.address.wrapping_add(value).wrapping_add(site.addend);
        if target.area != Area::Code || site.kind == Kind::Frames {
            return Ok(body);
        }
        // A reference to the very start of a function: to call it, or to take its address.
        let offset = value.wrapping_add(site.addend).wrapping_add(site.bias);
        let Some((index, global)) = self.function_at(section, offset) else { return Ok(body) };
        let id = match global {
            Some(id) => id,
            None if branch => return Ok(body),
            None => {
                let function = &self.object().symbols[index];
                let indirect = function.kind == SymbolKind::IndirectFunction;
                let name = if function.name.is_empty() { name } else { function.name };
                self.resolve.local_function(name, target.address.wrapping_add(offset), indirect)?
            }
        };
        Ok(self.table.stub(id.0).wrapping_sub(site.bias))
    }

    /// The function that starts at `offset` of `section`.
    fn function_at(&self, section: usize, offset: u64) -> Option<(usize, Option<SymbolId>)> {
        let at = self.starts.partition_point(|&(s, o, _)| (s, o) < (section, offset));
        let &(s, o, index) = self.starts.get(at)?;
        ((s, o) == (section, offset)).then(|| (index, self.ids[index]))
    }

    fn refer(&mut self, site: &Site, id: SymbolId, called: bool) {
        let symbol = &self.object().symbols[site.symbol];
        if symbol.place == Place::Undefined {
            let required = symbol.binding != Binding::Weak;
            self.resolve.refer(id, called, required);
        }
    }

    fn global_address(&mut self, site: &Site, id: SymbolId, branch: bool) -> Result<u64> {
        self.refer(site, id, branch);
        let stub = self.table.stub(id.0);
        if branch {
            return Ok(stub.wrapping_add(site.addend));
        }
        let (absolute, code) = (matches!(site.field, Field::Word { relative: false, .. }), site.kind == Kind::Code);
        match self.resolve.target(id) {
            Some(Target::Function(body)) => {
                // The stub stands for the function's start only.
                let start = site.addend.wrapping_add(site.bias) == 0;
                Ok(if start { stub } else { body }.wrapping_add(site.addend))
            }
            Some(Target::Data(address)) => Ok(address.wrapping_add(site.addend)),
            Some(Target::Process(address)) => {
                // Non-PIC code reaches a library only by chance; a function's stub will do.
                let reach = address.wrapping_sub(site.place) as i64;
                let near = absolute || i32::try_from(reach).is_ok();
                Ok(if near { address } else { stub }.wrapping_add(site.addend))
            }
            Some(Target::ThreadLocal(_)) => Err(self.error(site, "takes a thread-local variable for an ordinary one")),
            None if absolute => {
                self.resolve.wait(id, site.place, site.addend);
                Ok(0)
            }
            None => {
                let weak = self.object().symbols[site.symbol].binding == Binding::Weak;
                let what = match (weak, code) {
                    (true, _) => "is against an undefined weak symbol, whose address is zero",
                    (false, _) => "needs the address of a symbol that is not defined yet",
                };
                let hint = if weak { "compile with -fPIC" } else { "load the module that defines it first, or in the same update, or compile with -fPIC" };
                Err(self.error(site, what).hint(hint))
            }
        }
    }

    /// G + A: the cell that a load or an indirect branch reads.
    fn cell(&mut self, site: &mut Site) -> Result<u64> {
        let (offset, x86) = (site.offset, self.object().arch == Arch::X86_64);
        let branch = site.kind == Kind::Code
            && x86
            && site.operand == Operand::Cell
            && relocate::x86_64::is_cell_branch(self.bytes(site), offset);
        let Some(id) = self.ids[site.symbol] else {
            let saved = *site;
            let cell = self.once(Operand::Cell, site.symbol, |linker| {
                let address = linker.local_address(&Site { addend: 0, bias: 0, ..saved }, false)?;
                linker.private_word(address)
            })?;
            return Ok(cell.wrapping_add(site.addend));
        };
        self.refer(site, id, branch);
        if branch && self.direct {
            let moved = relocate::x86_64::make_branch_direct(self.bytes(site), offset);
            site.place = site.place.wrapping_sub((offset - moved) as u64);
            site.offset = moved;
            return Ok(self.table.stub(id.0).wrapping_add(site.addend));
        }
        let cell = if branch { self.table.call_slot(id.0) } else { self.table.addr_cell(id.0) };
        Ok(cell.wrapping_add(site.addend))
    }

    /// The private cell for `symbol` as `operand`, made by `make` the first time.
    fn once(
        &mut self,
        operand: Operand,
        symbol: usize,
        make: impl FnOnce(&mut Self) -> Result<u64>,
    ) -> Result<u64> {
        if let Some(&cell) = self.private.get(&(operand, symbol)) {
            return Ok(cell);
        }
        let cell = make(self)?;
        self.private.insert((operand, symbol), cell);
        Ok(cell)
    }

    /// A new cell of the object's own that holds `word`; returns its address.
    fn private_word(&mut self, word: u64) -> Result<u64> {
        let (at, end) = (self.next_cell, self.next_cell + 8);
        // `survey` counted the cells by the same rules.
        let cell = (end <= self.placement.cells_end).then(|| self.placement.constants.bytes.get_mut(at..end)).flatten();
        let cell = cell.ok_or_else(|| Error::new(ErrorKind::Link, "more cells are used than were counted"))?;
        cell.copy_from_slice(&word.to_le_bytes());
        self.next_cell = end;
        Ok(self.placement.constants.address() + at as u64)
    }

    fn private_pair(&mut self, first: u64, second: u64) -> Result<u64> {
        let pair = self.private_word(first)?;
        self.private_word(second)?;
        Ok(pair)
    }

    /// Where the site's thread-local symbol lies in this module's own block.
    fn own_thread_local(&self, site: &Site) -> Option<u64> {
        let symbol = &self.object().symbols[site.symbol];
        match symbol.place {
            Place::Section(section) if self.placement.sections[section].area == Area::ThreadLocal => {
                Some(self.placement.sections[section].address + symbol.value)
            }
            _ => None,
        }
    }

    /// The address of the pair for the site's symbol.
    fn pair(&mut self, site: &Site) -> Result<u64> {
        match self.ids[site.symbol] {
            Some(id) => {
                self.refer(site, id, false);
                match self.resolve.target(id) {
                    Some(Target::ThreadLocal(_)) => {}
                    Some(Target::Process(_)) if self.resolve.foreign_thread_local(id).is_some() => {}
                    None => {
                        return Err(self
                            .error(site, "is against a thread-local variable that is not defined")
                            .hint("load the module that defines it first, or in the same update"));
                    }
                    _ => return Err(self.error(site, "takes an ordinary symbol for a thread-local variable")),
                }
                self.resolve.pair(id)
            }
            None => {
                let offset = self.own_thread_local(site);
                let (Some(offset), Some(locals)) = (offset, &self.placement.thread_locals) else {
                    return Err(self.error(site, "is not against a thread-local variable"));
                };
                let word = locals.block.word(offset);
                self.once(Operand::TlsPair, site.symbol, |linker| linker.private_pair(word, 0))
            }
        }
    }

    fn thread_local(&mut self, site: &Site) -> Result<u64> {
        let pair = match site.operand {
            Operand::TlsPair => self.pair(site)?,
            // One for all symbols.
            Operand::TlsModulePair => self.once(site.operand, 0, |linker| {
                let Some(locals) = &linker.placement.thread_locals else {
                    return Err(linker.error(site, "is in a module without thread-local variables"));
                };
                let word = locals.block.word(0);
                linker.private_pair(word, 0)
            })?,
            Operand::TlsDescriptor => self.once(site.operand, site.symbol, |linker| {
                let key = linker.pair(site)?;
                let argument = Box::new(TlsDescArgument::new(crate::tls::descriptor_address, key));
                let at = &raw const *argument as u64;
                linker.descriptors.push(argument);
                linker.private_pair(descriptor_entry(), at)
            })?,
            Operand::TlsBlockOffset => {
                let offset = self.own_thread_local(site).ok_or_else(|| {
                    self.error(site, "uses the local-dynamic model for a variable of another module")
                        .hint("declare the variable without hidden visibility")
                })?;
                return Ok(offset.wrapping_add(site.addend));
            }
            Operand::TlsThreadOffset => return Ok(self.thread_offset(site)?.wrapping_add(site.addend)),
            _ => self.once(Operand::TlsThreadCell, site.symbol, |linker| {
                let offset = linker.thread_offset(site)?;
                linker.private_word(offset)
            })?,
        };
        Ok(pair.wrapping_add(site.addend))
    }

    /// The offset of the site's thread-local symbol from the thread pointer.
    fn thread_offset(&mut self, site: &Site) -> Result<u64> {
        let own = self.own_thread_local(site);
        let winner = match self.ids[site.symbol] {
            Some(id) => {
                self.refer(site, id, false);
                self.resolve.target(id)
            }
            None => None,
        };
        let offset = match (winner, own, &self.placement.thread_locals) {
            (Some(Target::ThreadLocal(word)), ..) => crate::tls::thread_offset(word),
            (None, Some(offset), Some(locals)) => locals.block.thread_offset().map(|base| base as u64 + offset),
            _ => None,
        };
        offset.ok_or_else(|| {
            self.error(site, "needs a thread-local variable at a fixed offset from the thread pointer")
                .hint("compile with -fPIC and without -ftls-model=initial-exec, or load both modules in one update")
        })
    }

    fn finish(self) -> Result<Links> {
        let Placement { object, sections, code, constants, variables, thread_locals, fresh_tls, kept, .. } = self.placement;
        let mut image = Image { descriptors: self.descriptors, ..Image::default() };
        let code_range = code.address()..code.address() + code.bytes.len() as u64;
        let mut run = Vec::new();
        for (section, placed) in object.sections.iter().zip(&sections) {
            let bytes = placed.offset..placed.offset + section.size as usize;
            match section.kind {
                Kind::Frames if section.size > 0 => {
                    // With the terminator that `place` left room for.
                    let records = &constants.bytes[bytes.start..bytes.end + 4];
                    frames::check(records, placed.address, code_range.clone())?;
                    image.unregistered_frames.push(placed.address);
                }
                Kind::Init | Kind::Fini if section.size > 0 => {
                    let words = constants.bytes[bytes].chunks_exact(8);
                    let words = words.map(|w| w.try_into().map_or(0, u64::from_le_bytes));
                    // .ctors and .dtors may mark their ends with 0 and -1.
                    let mut functions: Vec<u64> = words.filter(|w| !matches!(*w, 0 | u64::MAX)).collect();
                    if section.name.starts_with(".ctors") {
                        functions.reverse();
                    }
                    run.push((priority(section.name), section.kind, functions));
                }
                _ => {}
            }
        }
        for (priority, kind, functions) in run {
            let list = if kind == Kind::Init { &mut image.init } else { &mut image.fini };
            list.extend(functions.into_iter().map(|function| (priority, function)));
        }
        for buffer in [&code, &constants] {
            if let Some(block) = &buffer.block {
                block.fill(&buffer.bytes);
            }
        }
        for variable in variables {
            if let Some(bytes) = variable.fresh {
                variable.storage.block.fill(&bytes);
            }
            image.storages.push((variable.key, variable.storage));
        }
        if let (Some(locals), Some(bytes)) = (&thread_locals, fresh_tls) {
            locals.block.initialise(&bytes);
        }
        image.code = code.block;
        image.constants = constants.block;
        image.thread_locals = thread_locals;
        Ok(Links { image, kept })
    }
}

/// When the functions of a section run, lowest first: by the number in its name, those
/// without one last. `.ctors` and `.dtors` count the other way round.
fn priority(name: &str) -> u32 {
    let number = name.rsplit('.').next().and_then(|n| n.parse::<u32>().ok());
    let old = name.starts_with(".ctors") || name.starts_with(".dtors");
    match number {
        Some(n) if old => 65535 - n.min(65535),
        Some(n) => n.min(65535),
        None if name.starts_with(".preinit_array") => 0,
        None => 65536,
    }
}

fn descriptor_entry() -> u64 {
    #[cfg(target_arch = "x86_64")]
    return runtime_stubs::entry::tlsdesc_entry_address();
    #[cfg(not(target_arch = "x86_64"))]
    return 0;
}

#[cfg(test)]
mod tests {
    use super::priority;

    #[test]
    fn priorities_order_as_linkers_do() {
        let mut names = [".init_array", ".ctors.65530", ".init_array.00200", ".init_array.101", ".ctors"];
        names.sort_by_key(|name| priority(name));
        assert_eq!(names, [".ctors.65530", ".init_array.101", ".init_array.00200", ".init_array", ".ctors"]);
    }
}
