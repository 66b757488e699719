//! What a slice has to declare.
//!
//! Owns the walk over all that definitions which stay can name: other functions and variables
//! that nothing names need not be in a slice at all. What becomes of them is said there.

use super::Understood;
use super::bitstream::{Block, Entry, Reader, Record, each_record};
use super::file::{File, Reached, Seen, block};
use super::metadata;
use super::module::Module;
use super::slice::{Plan, constant_operands};

/// A record of a function: those that use addresses of its blocks.
const BLOCK_ADDRESS_USERS: u32 = 60;

impl Plan<'_> {
    /// Finds what the definitions that stay refer to, and metadata of the module does.
    pub fn find_needed(
        &mut self,
        file: &File<'_>,
        Module { metadata, is_debug, .. }: &Module,
    ) -> Understood<()> {
        if self.outline.types.pointer().is_none() || self.kept_bodies().any(|(_, _, body)| body.is_none()) {
            return Ok(());
        }
        let count = self.stays.len();
        let mut needed = vec![false; count];
        let mut need = |global: u64| {
            if let Some(needed) = usize::try_from(global).ok().and_then(|global| needed.get_mut(global)) {
                *needed = true;
            }
        };
        metadata.values().for_each(&mut need);
        let mut seen = Seen::default();
        seen.forget();
        for (index, global) in self.outline.globals.iter().enumerate() {
            let is_definition = global.has_body() || global.initialiser().or(global.aliasee()).is_some();
            // What has no name could be told from others by its place only. Calls that are debug
            // information do not count as references.
            let special = global.name.is_empty() || is_debug[index];
            if !(self.stays[index] && is_definition || special) {
                continue;
            }
            need(index as u64);
            for value in constant_operands(global) {
                self.outline.reach(value, &mut seen, &mut |reached| {
                    match reached {
                        Reached::Global(global) => need(global as u64),
                        Reached::BlockOf(function) => need(function),
                    }
                    Ok(())
                })?;
            }
        }
        for (_, block, body) in self.kept_bodies() {
            body.into_iter().flat_map(|body| &body.references).for_each(|global| need(u64::from(*global)));
            self.values_beside(file, block, &mut need)?;
        }
        self.needed = needed;
        Ok(())
    }

    /// Values that a body names beside its instructions: in metadata, and as users of its blocks.
    fn values_beside(&self, file: &File<'_>, body: &Block, need: &mut impl FnMut(u64)) -> Understood<()> {
        let mut reader = Reader::new(file.bytes, body, &self.outline.info);
        let mut record = Record::default();
        loop {
            match reader.next(&mut record)? {
                Entry::Block(found) if found.id == block::METADATA => {
                    let unknown = "a block within the metadata";
                    each_record(file.bytes, &found, &self.outline.info, unknown, |record| {
                        if let (metadata::VALUE, [_, value]) = (record.code, &record.ops[..]) {
                            need(*value);
                        }
                        Ok(())
                    })?;
                }
                Entry::Record if record.code == BLOCK_ADDRESS_USERS => {
                    record.ops.iter().copied().for_each(&mut *need);
                }
                Entry::End => return Ok(()),
                Entry::Block(_) | Entry::Record | Entry::Abbreviation => {}
            }
        }
    }
}
