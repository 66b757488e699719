//! The operands that lead to thread-local variables, in every model.
//!
//! Owns pairs, descriptors and offsets from the thread pointer; knows nothing of threads
//! or how storage is made, which is [`crate::tls`].

use runtime_stubs::entry::TlsDescArgument;

use super::apply::{Linker, Site};
use super::object::{BLOCK_START, Place};
use super::place::Area;
use super::relocate::Operand;
use crate::error::Result;
use crate::table::Target;

impl Linker<'_, '_> {
    /// Where the site's thread-local symbol lies in this module's own block.
    fn own_thread_local(&self, site: &Site) -> Option<u64> {
        let symbol = &self.object().symbols[site.symbol];
        match symbol.place {
            Place::Section(_) if symbol.name == BLOCK_START => Some(0),
            Place::Section(section)
                if matches!(self.placement.sections[section].area, Area::ThreadLocal(_)) =>
            {
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
                // Not from what is remembered: being asked for makes a library's variable one
                // of ours.
                match self.resolve.target(id) {
                    Some(Target::ThreadLocal(_)) => {}
                    Some(Target::Process(_) | Target::ProcessData(_))
                        if self.resolve.foreign_thread_local(id).is_some() => {}
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
                let (Some(offset), Some(block)) = (offset, &self.placement.thread_locals) else {
                    return Err(self.error(site, "is not against a thread-local variable"));
                };
                let word = block.word(offset);
                self.once(Operand::TlsPair, site.symbol, |linker| linker.private_pair(word, 0))
            }
        }
    }

    pub(super) fn thread_local(&mut self, site: &Site) -> Result<u64> {
        let pair = match site.operand {
            Operand::TlsPair => self.pair(site)?,
            // One for all symbols.
            Operand::TlsModulePair => self.once(site.operand, 0, |linker| {
                let Some(block) = &linker.placement.thread_locals else {
                    return Err(linker.error(site, "is in a module without thread-local variables"));
                };
                let word = block.word(0);
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
                self.target(site, id)
            }
            None => None,
        };
        let offset = match (winner, own, &self.placement.thread_locals) {
            (Some(Target::ThreadLocal(word)), ..) => crate::tls::thread_offset(word),
            (Some(Target::Process(_) | Target::ProcessData(_)), ..) => {
                self.ids[site.symbol].and_then(|id| self.resolve.foreign_thread_offset(id))
            }
            (None, Some(offset), Some(block)) => {
                block.thread_offset().map(|base| (base as u64).wrapping_add(offset))
            }
            _ => None,
        };
        if let Some(id) = self.ids[site.symbol].filter(|_| offset.is_some()) {
            self.bake(site, id);
        }
        offset.ok_or_else(|| {
            self.error(site, "needs a thread-local variable at a fixed offset from the thread pointer").hint(
                "compile with -fPIC and without -ftls-model=initial-exec, or load both modules in one update",
            )
        })
    }
}

fn descriptor_entry() -> u64 {
    #[cfg(target_arch = "x86_64")]
    return runtime_stubs::entry::tlsdesc_entry_address();
    #[cfg(not(target_arch = "x86_64"))]
    return 0;
}
