//! Which bytes of a thread-local block belong to which variable.
//!
//! A block has spare room, so that variables can be added to it while threads have it
//! already. Owns what is taken, and writing initial bytes to the template and to the blocks
//! that exist. A part is free again once nothing holds it. Knows nothing of names.
#![allow(unsafe_code)]

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::{REGISTRY, Registry, TlsBlock, pool::thread_pointer};

/// The largest spare room, in every thread.
const MOST_SPARE: usize = 64 << 10;
/// Blocks begin at multiples of this: a variable that comes later may need it.
const BLOCK_ALIGN: usize = 64;

/// The size and alignment to give a block whose variables take `size` bytes now.
pub(super) fn roomy(size: usize, align: usize, static_model: bool) -> (usize, usize) {
    if static_model {
        // There is one small pool for all modules.
        return ((size + size.clamp(16, 64)).next_multiple_of(16), align.max(16));
    }
    let spare = (size / 2).clamp(512, MOST_SPARE);
    (size.saturating_add(spare).checked_next_multiple_of(BLOCK_ALIGN).unwrap_or(size), align.max(BLOCK_ALIGN))
}

/// The bytes of one variable, or of a section of them, in the block of every thread.
#[derive(Debug)]
pub(crate) struct Part {
    /// Held by its parts.
    pub block: Arc<TlsBlock>,
    pub offset: u64,
    size: usize,
}

impl Part {
    /// Takes `size` bytes of `block`; `None` if there is no room for them.
    pub(crate) fn take(block: &Arc<TlsBlock>, size: u64, align: u64) -> Option<Arc<Self>> {
        // Each has an address of its own.
        let size = usize::try_from(size).ok()?.max(1);
        let align = usize::try_from(align).ok()?.max(1);
        if align > block.align {
            return None;
        }
        let mut parts = block.parts.lock();
        parts.retain(|part| part.strong_count() > 0);
        let mut taken: Vec<Range<usize>> =
            parts.iter().filter_map(Weak::upgrade).map(|p| p.range()).collect();
        taken.sort_unstable_by_key(|range| range.start);
        let mut at = 0usize;
        let ends = taken.into_iter().map(|range| (range.start, range.end));
        for (next, end) in ends.chain([(block.size, block.size)]) {
            let start = at.checked_next_multiple_of(align)?;
            if start.checked_add(size)? <= next {
                let part = Arc::new(Self { block: block.clone(), offset: start as u64, size });
                parts.push(Arc::downgrade(&part));
                return Some(part);
            }
            at = end;
        }
        None
    }

    /// The part of `block` that the byte at `offset` is in.
    pub(crate) fn at(block: &TlsBlock, offset: u64) -> Option<Arc<Self>> {
        let parts = block.parts.lock();
        let mut parts = parts.iter().filter_map(Weak::upgrade);
        parts.find(|part| part.range().contains(&(offset as usize)))
    }

    /// Where the threads have it; those in the static pool are not among them.
    pub(crate) fn of_threads(&self) -> Vec<Range<u64>> {
        let registry = REGISTRY.lock();
        let index = self.block.index as usize;
        if registry.templates[index].as_ref().is_none_or(|template| template.in_pool.is_some()) {
            return Vec::new();
        }
        let blocks = registry.threads.iter().filter_map(|thread| {
            // SAFETY: a thread in the list lives, and its slice changes only under the lock.
            let blocks = unsafe { &(*thread.0).blocks };
            let block = blocks.get(index)?.load(Ordering::Acquire) as u64;
            let (from, to) = (block + self.offset, block + self.offset + self.size as u64);
            (block != 0).then_some(from..to)
        });
        blocks.collect()
    }

    /// Whether the word of a pair names it.
    pub(crate) fn is_named(&self, word: u64) -> bool {
        let (start, end) =
            (self.block.word(self.offset), self.block.word(self.offset + self.size as u64 - 1));
        (start..=end).contains(&word)
    }

    /// Whether `address` is in the part that some thread has.
    pub(crate) fn holds(&self, address: u64) -> bool {
        let registry = REGISTRY.lock();
        let range = self.range();
        let inside = |block: *mut u8| range.contains(&(address.wrapping_sub(block as u64) as usize));
        registry.threads.iter().any(|thread| {
            // SAFETY: a thread in the list lives, and its slice changes only under the lock.
            let blocks = unsafe { &(*thread.0).blocks };
            let block = blocks.get(self.block.index as usize).map(|entry| entry.load(Ordering::Acquire));
            block.is_some_and(|block| !block.is_null() && inside(block))
        })
    }

    fn range(&self) -> Range<usize> {
        self.offset as usize..self.offset as usize + self.size
    }

    /// Gives the part its initial bytes, the rest of it zeroes, before any code uses it: in
    /// the template, in the blocks that threads have, and in the static pool of the calling
    /// thread and those known. Later threads copy the template.
    pub(crate) fn initialise(&self, bytes: &[u8]) {
        let mut registry = REGISTRY.lock();
        let Registry { templates, threads, .. } = &mut *registry;
        let index = self.block.index as usize;
        let Some(template) = templates[index].as_mut() else { return };
        let range = self.range();
        if template.init.len() < range.end {
            template.init.resize(range.end, 0);
        }
        let own = &mut template.init[range];
        let given = bytes.len().min(own.len());
        own[..given].copy_from_slice(&bytes[..given]);
        own[given..].fill(0);
        let own = &*own;
        let write = |block: *mut u8| {
            if !block.is_null() {
                // SAFETY: a thread's block, as large as the template, and alive: threads and
                // templates go under the lock. Nothing else has this part of it.
                unsafe { block.add(self.offset as usize).copy_from_nonoverlapping(own.as_ptr(), own.len()) };
            }
        };
        if let Some(offset) = template.in_pool {
            let block = |pointer: *mut u8| pointer.wrapping_offset(offset as isize);
            write(block(thread_pointer()));
            // SAFETY: a thread in the list lives: it takes itself out under the lock.
            let pointers = threads.iter().map(|thread| unsafe { (*thread.0).pointer });
            pointers.filter(|pointer| !pointer.is_null()).for_each(|pointer| write(block(pointer)));
        } else {
            for thread in threads.iter() {
                // SAFETY: as above; slices change only under the lock.
                let blocks = unsafe { &(*thread.0).blocks };
                if let Some(entry) = blocks.get(index) {
                    write(entry.load(Ordering::Acquire));
                }
            }
        }
    }
}
