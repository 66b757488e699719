//! Which thread-local variables keep their part of the block that every thread has.
//!
//! Owns the match with the generation before: the block is kept, what fits keeps its part
//! of it, and so its value in every thread; what is new or no longer fits gets a part of
//! the spare room. Only where that is used up the module gets another block. What becomes
//! of values that are lost is the caller's to say.

use std::sync::Arc;

use super::image::{Shape, StorageKey, ThreadLocals, Unfit};
use super::object::Kind;
use super::place::{Area, Placed, Placement};
use super::storage::{Kept, Misfit, Replaced, Wanted, renamed};
use crate::error::{Error, ErrorKind, Result};
use crate::table::SymbolId;
use crate::tls::{Part, TlsBlock};

/// How large a module's thread-local block may be, in bytes.
const MAX_THREAD_LOCAL: u64 = 1 << 28;

/// A section of thread-local variables with its place in the block.
pub(super) struct PlacedLocal {
    pub key: StorageKey,
    pub shape: Shape,
    pub part: Arc<Part>,
    pub section: usize,
    /// The initial bytes; `None` where the value is kept.
    pub fresh: Option<Vec<u8>>,
    /// Its variables, where the key is not the name of the only one.
    pub names: Box<[Box<str>]>,
}

impl Placement<'_> {
    pub(super) fn place_thread_locals(
        &mut self,
        ids: &[Option<SymbolId>],
        kept: &dyn Kept,
        static_tls: bool,
    ) -> Result<()> {
        let wanted = self.wanted_variables(Kind::ThreadLocal, ids, kept);
        let (mut size, mut align) = (0u64, 1u64);
        for Wanted { shape, .. } in &wanted {
            // Checked as it grows: sizes come from the object.
            let end = size.checked_next_multiple_of(shape.align.max(1));
            let end = end.and_then(|start| start.checked_add(shape.size.max(1)));
            size = end.filter(|&end| end <= MAX_THREAD_LOCAL).ok_or_else(|| {
                Error::new(ErrorKind::Link, "more than 256 MiB of thread-local variables")
                    .hint("every thread would need as much: make them smaller")
            })?;
            align = align.max(shape.align);
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let earlier = kept.thread_locals();
        let mut lost = None;
        if let Some(old) = earlier {
            if static_tls && old.block.thread_offset().is_none() {
                lost = Some((old, Unfit::Model));
            } else if self.place_in(&old.block, Some(old), &wanted, kept) {
                return Ok(());
            } else {
                lost = Some((old, Unfit::Room));
            }
        }
        let block = TlsBlock::register(size as usize, align as usize, static_tls)?;
        if !self.place_in(&block, None, &wanted, kept) {
            return Err(Error::new(
                ErrorKind::Link,
                format!("no room for {size} bytes of thread-local variables"),
            ));
        }
        let Some((old, why)) = lost else { return Ok(()) };
        // Every variable that was there starts anew, with the block.
        let earlier: Vec<_> = old.variables.iter().map(|old| (&old.key, &old.shape)).collect();
        let renamed = renamed(&wanted, &earlier);
        let was_there = |one: &&Wanted| {
            let mut names = one.symbols.iter().map(|&i| self.object.symbols[i].name);
            let key = renamed.get(&one.key).unwrap_or(&one.key);
            old.variables.iter().any(|old| old.key == *key)
                || names.any(|name| old.variables.iter().any(|old| old.variables().any(|v| v == name)))
        };
        let names = wanted.iter().filter(was_there).flat_map(|one| &one.symbols);
        let names: Vec<Box<str>> = names.map(|&i| self.object.symbols[i].name.into()).collect();
        if !names.is_empty() {
            self.fresh_variables.retain(|fresh| !names.contains(fresh));
            let shape = |size| Shape { size, align, layout: 0, fingerprint: 0, labels: false };
            let (old, new) = (shape(old.block.size as u64), shape(size));
            self.misfits.push(Misfit { names, why, storage: Replaced::ThreadLocal { old, new } });
        }
        Ok(())
    }

    /// Gives every section of `wanted` a part of `block`, the one it had if it fits. False,
    /// with nothing done, where there is no room.
    fn place_in(
        &mut self,
        block: &Arc<TlsBlock>,
        old: Option<&ThreadLocals>,
        wanted: &[Wanted],
        kept: &dyn Kept,
    ) -> bool {
        let old = old.map_or(&[][..], |old| &old.variables);
        let earlier: Vec<_> = old.iter().map(|old| (&old.key, &old.shape)).collect();
        let renamed = renamed(wanted, &earlier);
        let (mut locals, mut misfits, mut new) = (Vec::new(), Vec::new(), Vec::new());
        let mut same = 0;
        for Wanted { section, symbols, key, shape } in wanted {
            let names = || symbols.iter().map(|&i| Box::from(self.object.symbols[i].name));
            let was = renamed.get(key).unwrap_or(key);
            let found = old.iter().find(|old| old.key == *was);
            let fits = found.filter(|old| shape.unfit(&old.shape).is_none());
            let (part, fresh) = match fits {
                Some(old) => {
                    same += 1;
                    (old.part.clone(), None)
                }
                None => {
                    let Some(part) = Part::take(block, shape.size, shape.align) else { return false };
                    // One that had a section with others, or has now.
                    let divided =
                        || old.iter().find(|old| names().any(|n| old.variables().any(|v| *v == *n)));
                    if let Some(old) = found.or_else(divided) {
                        let why =
                            shape.unfit(&old.shape).filter(|_| found.is_some()).unwrap_or(Unfit::Layout);
                        let storage = Replaced::ThreadLocal { old: old.shape.clone(), new: shape.clone() };
                        misfits.push(Misfit { names: names().collect(), why, storage });
                    } else if kept.earlier().is_some() {
                        new.extend(names());
                    }
                    (part, Some(self.object.sections[*section].bytes.to_vec()))
                }
            };
            let names = match key {
                StorageKey::Variable(_) => Box::default(),
                _ => names().collect(),
            };
            let (key, shape) = (key.clone(), shape.clone());
            locals.push(PlacedLocal { key, shape, part, section: *section, fresh, names });
        }
        self.kept += same;
        self.misfits.extend(misfits);
        self.fresh_variables.extend(new);
        for (index, local) in locals.iter().enumerate() {
            let area = Area::ThreadLocal(index);
            self.sections[local.section] = Placed { area, offset: 0, address: local.part.offset };
        }
        self.thread_locals = Some(block.clone());
        self.locals = locals;
        true
    }
}
