//! The operands that lead to functions and variables: addresses, branches and cells.
//!
//! Owns the choice between stub, slot, body and private cell. What takes a function's
//! address gets its stub; a direct branch goes to a body only where that is local.

use std::collections::HashMap;

use runtime_stubs::Arch;

use super::apply::{Linker, Site};
use super::object::{Binding, Kind, Place, SymbolKind};
use super::place::Area;
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
        // The addend of a relative word in data (a jump table's entry) also holds the
        // distance to what it is relative to, so it does not tell where it leads.
        let relative = matches!(site.field, Field::Word { relative: true, .. });
        if target.area != Area::Code || relative && site.kind != Kind::Code {
            return Ok(body);
        }
        // A reference to the very start of a function: to call it, or to take its address.
        let offset = value.wrapping_add(site.addend).wrapping_add(site.bias);
        let start = target.address.wrapping_add(offset);
        let id = if indirect && offset == value {
            // Its resolver is a function at the same place, so only the symbol tells.
            self.local_function(site.symbol, start, true)?
        } else {
            match self.function_at(section, offset) {
                Some((_, Some(id))) => id,
                Some((function, None)) if !branch => self.local_function(function, start, false)?,
                _ => return Ok(body),
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

    /// Notes a reference to a symbol that the object does not define.
    pub(super) fn refer(&mut self, site: &Site, id: SymbolId, called: bool) {
        let known = &mut self.known[site.symbol];
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
        let ordinal = self.ordinal(function);
        let name = self.placement.object.symbols[function].name;
        let id = self.resolve.local_function(name, ordinal, body, indirect)?;
        self.known[function].local = Some(id);
        Ok(id)
    }

    /// How many local functions of the same name come before `function`: objects that a
    /// linker has combined may have several.
    fn ordinal(&mut self, function: usize) -> u32 {
        if self.ordinals.is_empty() {
            let mut seen: HashMap<&str, u32, foldhash::fast::RandomState> = HashMap::default();
            for symbol in &self.placement.object.symbols {
                let function = matches!(symbol.kind, SymbolKind::Function | SymbolKind::IndirectFunction);
                if function && symbol.binding == Binding::Local {
                    let next = seen.entry(symbol.name).or_default();
                    self.ordinals.push(*next);
                    *next += 1;
                } else {
                    self.ordinals.push(0);
                }
            }
        }
        self.ordinals[function]
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
            Some(Target::Data(address)) => Ok(address.wrapping_add(site.addend)),
            Some(Target::Process(address)) => {
                // Non-PIC code reaches a library only by chance; a function's stub will do.
                let reach = address.wrapping_sub(site.place) as i64;
                let near = absolute || i32::try_from(reach).is_ok();
                Ok(if near { address } else { stub }.wrapping_add(site.addend))
            }
            Some(Target::ProcessData(address)) => Ok(address.wrapping_add(site.addend)),
            Some(Target::ThreadLocal(_)) => {
                Err(self.error(site, "takes a thread-local variable for an ordinary one"))
            }
            // Only a whole address can be filled in later, wherever the symbol will be.
            None if matches!(site.field, Field::Word { relative: false, bytes: 8, .. })
                && site.kind != Kind::ThreadLocal =>
            {
                let storage = match self.placement.sections[site.section].area {
                    Area::Variable(index) => Some(&self.placement.variables[index].storage),
                    _ => None,
                };
                self.resolve.wait(id, site.place, site.addend, storage);
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
        let cell = if branch { self.table.call_slot(id.0) } else { self.table.addr_cell(id.0) };
        Ok(cell.wrapping_add(site.addend))
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
