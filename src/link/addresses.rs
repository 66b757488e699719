//! The operands that lead to functions and variables: addresses, branches and cells.
//!
//! Owns the choice between stub, slot, body and private cell. What takes a function's
//! address gets its stub; a direct branch goes to a body only where that is local.

use runtime_stubs::Arch;

use super::apply::{Linker, Site};
use super::homes::leads_to_stub;
use super::object::{Binding, Kind, Place, SymbolKind};
use super::place::{Area, Placed, Placement};
use super::relocate::{self, Field, Operand};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{SymbolId, Target};

impl Linker<'_, '_> {
    /// S + A, or for a branch L + A: what the field's operand should lead to.
    pub(super) fn address(&mut self, site: &Site, branch: bool) -> Result<u64> {
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

    pub(super) fn local_address(&mut self, site: &Site, branch: bool) -> Result<u64> {
        let symbol = &self.object().symbols[site.symbol];
        let value = symbol.value;
        let indirect = symbol.kind == SymbolKind::IndirectFunction;
        let section = match symbol.place {
            Place::Section(section) => section,
            Place::Absolute | Place::Undefined => return Ok(value.wrapping_add(site.addend)),
            Place::Common => return Err(self.error(site, "is against a local COMMON symbol")),
        };
        let offset = value.wrapping_add(site.addend).wrapping_add(site.bias);
        let target = self.constant_target(site, section, offset);
        match target.area {
            Area::Nowhere if self.object().sections[section].kind == Kind::Skipped => {
                return Err(self.error(site, "is against a section that is not loaded"));
            }
            Area::ThreadLocal(_) => {
                return Err(self.error(site, "takes a thread-local variable for an ordinary one"));
            }
            _ => {}
        }
        let body = target.address.wrapping_add(value).wrapping_add(site.addend);
        // The addend of a relative word in data (a jump table's entry) also holds the
        // distance to what it is relative to, so it does not tell where it leads.
        let relative = matches!(site.field, Field::Word { relative: true, .. });
        if target.area != Area::Code || relative && site.kind != Kind::Code {
            return Ok(body);
        }
        // A reference to the very start of a function: to call it, or to take its address.
        let start = target.address.wrapping_add(offset);
        let id = if indirect && offset == value {
            // Its resolver is a function at the same place, so only the symbol tells.
            self.local_function(site.symbol, start, true)?
        } else {
            match self.placement.starts.at(section, offset).map(|function| (function, self.ids[function])) {
                Some((_, Some(id))) => id,
                Some((function, None)) if !branch && self.has_stub(site.symbol, section, offset) => {
                    self.local_function(function, start, false)?
                }
                _ => return Ok(body),
            }
        };
        Ok(self.table.stub(id.0).wrapping_sub(site.bias))
    }

    /// Which copy of `section` the site leads to, if there are two.
    fn constant_target(&self, site: &Site, section: usize, offset: u64) -> Placed {
        let relative = matches!(site.field, Field::Word { relative: true, .. });
        if relative && matches!(site.kind, Kind::Constant | Kind::Variable | Kind::ThreadLocal) {
            // The addend also holds a distance, so it does not tell where exactly. In its
            // own section a word stays in its own copy.
            return match self.placement.copies.get(&section) {
                Some(copy) if site.copy && site.section == section => *copy,
                _ => self.placement.sections[section],
            };
        }
        self.placement.copy_at(section, offset)
    }

    fn has_stub(&self, symbol: usize, section: usize, offset: u64) -> bool {
        let Placement { object, starts, .. } = &self.placement;
        leads_to_stub(object, self.ids, starts, symbol, section, offset)
    }

    /// Notes a reference to a symbol that the object does not define.
    pub(super) fn refer(&mut self, site: &Site, id: SymbolId, called: bool) {
        let known = &mut self.known[site.symbol];
        // A relative word in data is made from an address too.
        let exposed = !called || site.kind != Kind::Code;
        if exposed && !known.exposed && self.placement.object.symbols[site.symbol].scoped {
            known.exposed = true;
            self.resolve.expose(id);
        }
        if known.referred && known.called >= called {
            return;
        }
        known.referred = true;
        known.called |= called;
        let symbol = &self.object().symbols[site.symbol];
        if symbol.place == Place::Undefined {
            let required = symbol.binding != Binding::Weak;
            self.resolve.refer(id, called, required);
        }
    }

    /// What the site's symbol, which is `id`, will be.
    pub(super) fn target(&mut self, site: &Site, id: SymbolId) -> Option<Target> {
        if let Some(target) = self.known[site.symbol].target {
            return target;
        }
        let target = self.resolve.target(id);
        self.known[site.symbol].target = Some(target);
        target
    }

    /// The place in the table of the local function `function`, which starts at `body`.
    fn local_function(&mut self, function: usize, body: u64, indirect: bool) -> Result<SymbolId> {
        if let Some(id) = self.known[function].local {
            return Ok(id);
        }
        let ordinal = self.placement.starts.ordinal(&self.placement.object, function);
        let name = self.placement.object.symbols[function].name;
        let id = self.resolve.local_function(name, ordinal, body, indirect)?;
        self.known[function].local = Some(id);
        Ok(id)
    }

    fn global_address(&mut self, site: &Site, id: SymbolId, branch: bool) -> Result<u64> {
        self.refer(site, id, branch);
        let stub = self.table.stub(id.0);
        if branch {
            return Ok(stub.wrapping_add(site.addend));
        }
        let (absolute, code) =
            (matches!(site.field, Field::Word { relative: false, .. }), site.kind == Kind::Code);
        match self.target(site, id) {
            Some(Target::Function(body)) => {
                // The stub stands for the function's start only. Relative words in data
                // have an addend of their own, see `local_address`.
                let start = site.addend.wrapping_add(site.bias) == 0 || !absolute && !code;
                Ok(if start { stub } else { body }.wrapping_add(site.addend))
            }
            Some(Target::Data(address)) => {
                self.bake(site, id);
                Ok(address.wrapping_add(site.addend))
            }
            Some(Target::Process(address)) => {
                // Non-PIC code reaches a library only by chance; a function's stub will do.
                let reach = address.wrapping_sub(site.place) as i64;
                let near = absolute || i32::try_from(reach).is_ok();
                Ok(if near { address } else { stub }.wrapping_add(site.addend))
            }
            Some(Target::ProcessData(address)) => {
                self.bake(site, id);
                Ok(address.wrapping_add(site.addend))
            }
            Some(Target::ThreadLocal(_)) => {
                Err(self.error(site, "takes a thread-local variable for an ordinary one"))
            }
            // Only a whole address can be filled in later, wherever the symbol will be.
            None if matches!(site.field, Field::Word { relative: false, bytes: 8, .. })
                && site.kind != Kind::ThreadLocal =>
            {
                let holder = self.placement.outliving(site);
                self.resolve.wait(id, site.place, site.addend, holder);
                self.bake(site, id);
                Ok(0)
            }
            None => {
                let weak = self.object().symbols[site.symbol].binding == Binding::Weak;
                let what = match (weak, code) {
                    (true, _) => "is against an undefined weak symbol, whose address is zero",
                    (false, _) => "needs the address of a symbol that is not defined yet",
                };
                let hint = if weak {
                    "compile with -fPIC"
                } else {
                    "load the module that defines it first, or in the same update, or compile with -fPIC"
                };
                Err(self.error(site, what).hint(hint).of_kind(ErrorKind::Resolve))
            }
        }
    }

    /// Notes that the address of a variable is written, not read from its cell.
    pub(super) fn bake(&mut self, site: &Site, id: SymbolId) {
        if !self.known[site.symbol].baked {
            self.known[site.symbol].baked = true;
            self.baked.push(id);
        }
    }

    /// G + A: the cell that a load or an indirect branch reads.
    pub(super) fn cell(&mut self, site: &mut Site) -> Result<u64> {
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
        if let Some(address) = self.own_variable(site, id)
            && relocate::x86_64::make_load_direct(self.bytes(site), offset)
        {
            self.bake(site, id);
            return Ok(address.wrapping_add(site.addend));
        }
        let cell = if branch { self.table.call_slot(id.0) } else { self.table.addr_cell(id.0) };
        Ok(cell.wrapping_add(site.addend))
    }

    /// Where the site's symbol is, if it is a variable or constant that this object defines for
    /// everybody. Its code refers to that directly and not through the table: when a later
    /// generation has other storage for it, this one's code must go on with what it was
    /// compiled for.
    fn own_variable(&mut self, site: &Site, id: SymbolId) -> Option<u64> {
        let symbol = &self.object().symbols[site.symbol];
        let x86 = self.object().arch == Arch::X86_64;
        let strong = symbol.binding == Binding::Global && matches!(symbol.place, Place::Section(_));
        if !x86 || site.kind != Kind::Code || site.operand != Operand::Cell || !strong {
            return None;
        }
        match self.target(site, id) {
            Some(Target::Data(address)) if self.resolve.is_own(id) => Some(address),
            _ => None,
        }
    }

    /// The private cell for `symbol` as `operand`, made by `make` the first time.
    pub(super) fn once(
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
    pub(super) fn private_word(&mut self, word: u64) -> Result<u64> {
        let (at, end) = (self.next_cell, self.next_cell + 8);
        // `survey` counted the cells by the same rules.
        let cell = (end <= self.placement.cells_end)
            .then(|| self.placement.constants.bytes.get_mut(at..end))
            .flatten();
        let cell =
            cell.ok_or_else(|| Error::new(ErrorKind::Link, "more cells are used than were counted"))?;
        cell.copy_from_slice(&word.to_le_bytes());
        self.next_cell = end;
        Ok(self.placement.constants.address() + at as u64)
    }

    pub(super) fn private_pair(&mut self, first: u64, second: u64) -> Result<u64> {
        let pair = self.private_word(first)?;
        self.private_word(second)?;
        Ok(pair)
    }
}
