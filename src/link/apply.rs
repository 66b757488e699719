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

use super::definitions::Resolve;
use super::escapes::Taken;
use super::object::{Kind, Object, Place, Relocation, Section};
use super::place::{Area, Placement};
use super::relocate::{self, Field, Operand, Unwritable};
use super::seal::Links;
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Detail;
use crate::table::{SymbolId, Target};

const LE: LittleEndian = LittleEndian;

/// Relocates `placement`, fills its blocks and returns the image. `direct` makes every
/// call go through its function's stub; `detail` is what debuggers and profilers want to know.
pub(crate) fn link(
    placement: Placement<'_>,
    ids: &[Option<SymbolId>],
    table: &TableLayout,
    resolve: &mut dyn Resolve,
    direct: bool,
    detail: Option<Detail>,
) -> Result<Links> {
    let mut linker = Linker::new(placement, ids, table, resolve, direct);
    linker.detail = detail;
    crate::fault::step("link")?;
    for index in 0..linker.placement.object.sections.len() {
        linker.section(index)?;
    }
    linker.redirect_taken()?;
    linker.finish()
}

pub(super) struct Linker<'p, 'd> {
    pub(super) placement: Placement<'d>,
    pub(super) ids: &'p [Option<SymbolId>],
    pub(super) table: &'p TableLayout,
    pub(super) resolve: &'p mut dyn Resolve,
    pub(super) direct: bool,
    pub(super) detail: Option<Detail>,
    /// What has been asked about each symbol of the object: most are used many times.
    pub(super) known: Vec<Known>,
    /// See [`super::Image::baked`].
    pub(super) baked: Vec<SymbolId>,
    pub(super) next_cell: usize,
    /// Private cells by what they are for: several instructions may share one, and must
    /// where each holds a part of its address.
    pub(super) private: HashMap<(Operand, usize), u64>,
    pub(super) next_veneer: usize,
    /// Veneers by where they lead.
    pub(super) veneers: HashMap<u64, u64>,
    #[allow(clippy::vec_box, reason = "generated code holds their addresses")]
    pub(super) descriptors: Vec<Box<TlsDescArgument>>,
}

/// What is known of a symbol while its object is linked.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    /// References have been noted, of any kind and by a call.
    pub(super) referred: bool,
    pub(super) called: bool,
    /// For a function that only the module knows: its address is used, not only called.
    pub(super) exposed: bool,
    /// Its address has been written somewhere.
    pub(super) baked: bool,
    /// What it will be, once asked.
    pub(super) target: Option<Option<Target>>,
    /// For a local function: its place in the table.
    pub(super) local: Option<SymbolId>,
}

/// A relocation about to be applied.
#[derive(Clone, Copy)]
pub(super) struct Site {
    pub(super) section: usize,
    pub(super) kind: Kind,
    pub(super) offset: usize,
    /// In the private copy of a section that has two.
    pub(super) copy: bool,
    /// Where the field will be at run time.
    pub(super) place: u64,
    pub(super) operand: Operand,
    pub(super) field: Field,
    pub(super) symbol: usize,
    pub(super) addend: u64,
    /// Distance from the field to what the processor adds to: 4 for a rip-relative
    /// operand without an immediate.
    pub(super) bias: u64,
}

impl<'p, 'd> Linker<'p, 'd> {
    fn new(
        placement: Placement<'d>,
        ids: &'p [Option<SymbolId>],
        table: &'p TableLayout,
        resolve: &'p mut dyn Resolve,
        direct: bool,
    ) -> Self {
        let known = vec![Known::default(); placement.object.symbols.len()];
        let next_cell = placement.cells_at;
        let next_veneer = placement.veneers_at;
        Self {
            placement,
            ids,
            table,
            resolve,
            direct,
            detail: None,
            known,
            baked: Vec::new(),
            next_cell,
            private: HashMap::new(),
            next_veneer,
            veneers: HashMap::new(),
            descriptors: Vec::new(),
        }
    }

    pub(super) fn object(&self) -> &Object<'d> {
        &self.placement.object
    }

    fn section(&mut self, index: usize) -> Result<()> {
        let Section { kind, relocations, .. } = self.object().sections[index];
        let placed = self.placement.sections[index];
        let skip = match placed.area {
            Area::Nowhere => true,
            // A kept value stands; relocating it again would undo what the program stored.
            Area::Variable(variable) => self.placement.variables[variable].fresh.is_none(),
            Area::Shared(shared) => self.placement.shared[shared].fresh.is_none(),
            Area::ThreadLocal(local) => self.placement.locals[local].fresh.is_none(),
            _ => false,
        };
        let both = self.placement.copies.contains_key(&index);
        for relocation in relocations {
            let site = self.site(index, kind, relocation, false)?;
            if both && self.placement.homes.is_private(index, site.offset as u64) {
                continue;
            }
            let shared = matches!(placed.area, Area::Shared(_));
            if !skip {
                self.apply(site)?;
            } else if (site.operand == Operand::Address || shared) && placed.area != Area::Nowhere {
                self.mention(&site)?;
            }
        }
        if both {
            for relocation in relocations {
                let site = self.site(index, kind, relocation, true)?;
                self.apply(site)?;
            }
        }
        Ok(())
    }

    /// Points instructions that the assembler has completed at the stubs of their functions, as
    /// if they still had a relocation.
    fn redirect_taken(&mut self) -> Result<()> {
        for Taken { section, field, function } in std::mem::take(&mut self.placement.taken) {
            let bias = 4;
            self.apply(Site {
                section,
                kind: Kind::Code,
                copy: false,
                offset: field as usize,
                place: self.placement.sections[section].address + field,
                operand: Operand::Address,
                field: relocate::x86_64::PC32,
                symbol: function,
                addend: 0u64.wrapping_sub(bias),
                bias,
            })?;
        }
        Ok(())
    }

    /// Notes what a kept variable was initialised with, or a constant names that was there
    /// already: functions that it may still point to are part of this generation too.
    fn mention(&mut self, site: &Site) -> Result<()> {
        match (self.ids[site.symbol], site.operand) {
            (Some(id), Operand::Address) => {
                self.refer(site, id, false);
                if matches!(self.target(site, id), Some(Target::Data(_) | Target::ProcessData(_))) {
                    self.bake(site, id);
                }
            }
            (Some(id), Operand::Branch | Operand::StubOffset) => self.refer(site, id, true),
            (Some(id), operand) if operand != Operand::None => self.refer(site, id, false),
            (None, Operand::Address | Operand::AddressOffset) => {
                self.local_address(site, false)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn site(&self, section: usize, kind: Kind, relocation: &Relocation, copy: bool) -> Result<Site> {
        let number = relocation.r_type(LE, false).0;
        // `survey` has refused unknown types.
        let howto = relocate::howto(self.object().arch, number)
            .ok_or_else(|| Error::new(ErrorKind::Link, format!("unknown relocation type {number}")))?;
        let offset = relocation.r_offset.get(LE);
        let relative = matches!(howto.field, Field::Word { relative: true, .. });
        let x86_code = kind == Kind::Code && self.object().arch == Arch::X86_64;
        let placed = match copy {
            true => self.placement.copies[&section],
            false => self.placement.sections[section],
        };
        Ok(Site {
            section,
            kind,
            copy,
            offset: usize::try_from(offset).unwrap_or(usize::MAX),
            place: placed.address.wrapping_add(offset),
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
            Operand::Size => self.size(&site)?.wrapping_add(site.addend),
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

    fn size(&mut self, site: &Site) -> Result<u64> {
        let symbol = &self.object().symbols[site.symbol];
        match self.ids[site.symbol] {
            Some(id) if symbol.place == Place::Undefined => {
                self.refer(site, id, false);
                self.resolve.size(id).ok_or_else(|| {
                    self.error(site, "needs the size of a symbol that no loaded module defines")
                        .hint("load the module that defines it first, or in the same update")
                })
            }
            _ => Ok(symbol.size),
        }
    }

    pub(super) fn bytes(&mut self, site: &Site) -> &mut [u8] {
        let placed = match self.placement.copies.get(&site.section) {
            Some(copy) if site.copy => *copy,
            _ => self.placement.sections[site.section],
        };
        let all = match placed.area {
            Area::Code => &mut self.placement.code.bytes,
            Area::Constants => &mut self.placement.constants.bytes,
            Area::Shared(index) => match &mut self.placement.shared[index].fresh {
                Some(bytes) => bytes,
                None => return &mut [],
            },
            Area::Variable(index) => match &mut self.placement.variables[index].fresh {
                Some(bytes) => bytes,
                None => return &mut [],
            },
            Area::ThreadLocal(index) => match &mut self.placement.locals[index].fresh {
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
            Err(Unwritable::Bounds) => Err(self
                .error(site, "lies outside its section")
                .hint("the object may be damaged: build it again")),
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
        let room =
            room.ok_or_else(|| Error::new(ErrorKind::Link, "more veneers are used than were counted"))?;
        room.copy_from_slice(&bytes);
        self.next_veneer = end;
        self.veneers.insert(target, address);
        Ok(address)
    }

    /// An error that names section, offset, symbol and type of a relocation.
    pub(super) fn error(&self, site: &Site, what: &str) -> Error {
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
}
