//! Variables that outlive their code, because they are to be destroyed at the end.
//!
//! A destructor that is registered with the C library gets the address of its object, which
//! may be in the storage of a variable that no generation has any more. Owns keeping that
//! storage. That the destructor's code stays is [`super::retire`]'s.

use std::sync::Arc;

use super::generation::Generation;
use crate::builtins;
use crate::link::Storage;
use crate::tls::Part;

/// Storage that nothing but a registered destructor uses.
#[derive(Default)]
pub(super) struct Objects {
    storages: Vec<Arc<Storage>>,
    parts: Vec<Arc<Part>>,
}

impl Objects {
    /// Keeps what is still to be destroyed of `ending`, which are about to be freed and are
    /// of the runtime whose `__dso_handle` is at `dso`.
    pub(super) fn keep<'g>(&mut self, ending: impl Iterator<Item = &'g Generation>, dso: u64) {
        let (mut objects, of_threads) = builtins::objects_at_end(dso);
        objects.sort_unstable();
        // Their threads may have ended since.
        self.parts.retain(|part| of_threads.iter().any(|&object| part.holds(object)));
        for image in ending.map(|generation| &generation.image) {
            for storage in image.storages.iter().map(|stored| &stored.storage) {
                let from = storage.block.address();
                let first = objects.partition_point(|&object| object < from);
                let inside =
                    objects.get(first).is_some_and(|object| object - from < storage.block.len() as u64);
                if inside && !self.storages.iter().any(|kept| Arc::ptr_eq(kept, storage)) {
                    self.storages.push(storage.clone());
                }
            }
            if of_threads.is_empty() {
                continue;
            }
            let own =
                image.thread_locals.iter().flat_map(|locals| &locals.variables).map(|local| &local.part);
            for part in own.chain(&image.borrowed) {
                let inside = of_threads.iter().any(|&object| part.holds(object));
                if inside && !self.parts.iter().any(|kept| Arc::ptr_eq(kept, part)) {
                    self.parts.push(part.clone());
                }
            }
        }
    }
}
