//! Variables that no generation has any more, and when their memory goes.
//!
//! A variable outlives the code that defined it: other modules may name it, have its address
//! in their code, or be blocked in the kernel with a pointer to it. Owns the storage of such
//! variables until nothing in memory names them and no thread holds an address in them.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::generation::Layer;
use super::state::State;
use crate::link::Storage;
use crate::reclaim::Findings;
use crate::table::{SymbolId, Target};
use crate::tls::Part;

/// What holds the memory of variables.
enum Memory {
    Storage(Arc<Storage>),
    ThreadLocal(Arc<Part>),
}

/// The memory of variables whose layer has been freed.
pub(super) struct Left {
    memory: Memory,
    /// The symbols that led there; each is held.
    symbols: SmallVec<[SymbolId; 1]>,
}

impl Left {
    /// Nothing else keeps the memory.
    fn is_last(&self) -> bool {
        match &self.memory {
            Memory::Storage(storage) => Arc::strong_count(storage) == 1,
            Memory::ThreadLocal(part) => Arc::strong_count(part) == 1,
        }
    }

    fn same(&self, other: &Memory) -> bool {
        match (&self.memory, other) {
            (Memory::Storage(a), Memory::Storage(b)) => Arc::ptr_eq(a, b),
            (Memory::ThreadLocal(a), Memory::ThreadLocal(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Where a word leads that keeps it.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        match &self.memory {
            Memory::Storage(storage) => vec![storage.block.range()],
            Memory::ThreadLocal(part) => part.of_threads(),
        }
    }

    /// Bytes of the arena.
    pub(super) fn bytes(&self) -> usize {
        match &self.memory {
            Memory::Storage(storage) => storage.block.len(),
            Memory::ThreadLocal(_) => 0,
        }
    }

    /// Whether an object that is to be destroyed at some end is in it.
    fn holds(&self, (objects, of_threads): &(Vec<u64>, Vec<u64>)) -> bool {
        match &self.memory {
            Memory::Storage(storage) => objects.iter().any(|object| storage.block.range().contains(object)),
            Memory::ThreadLocal(part) => of_threads.iter().any(|&object| part.holds(object)),
        }
    }
}

/// Those of the layer's symbols that lead, or led last, to such a target.
fn leading(layer: &Layer, is: impl Fn(Target) -> bool) -> SmallVec<[SymbolId; 1]> {
    layer.led.iter().filter(|(_, target)| is(*target)).map(|(id, _)| *id).collect()
}

impl State {
    /// Keeps the variables of a layer that is about to be freed.
    pub(super) fn leave_variables(&mut self, layer: &Layer) {
        let image = &layer.image;
        for stored in &image.storages {
            let at = stored.storage.block.range();
            let symbols = leading(layer, |target| matches!(target, Target::Data(to) if at.contains(&to)));
            self.leave(Memory::Storage(stored.storage.clone()), symbols);
        }
        let own = image.thread_locals.iter().flat_map(|locals| &locals.variables).map(|local| &local.part);
        for local in own.chain(&image.borrowed) {
            let named = |target| matches!(target, Target::ThreadLocal(word) if local.is_named(word));
            self.leave(Memory::ThreadLocal(local.clone()), leading(layer, named));
        }
    }

    fn leave(&mut self, memory: Memory, symbols: SmallVec<[SymbolId; 1]>) {
        if let Some(known) = self.left.iter_mut().find(|left| left.same(&memory)) {
            for id in symbols {
                if !known.symbols.contains(&id) {
                    known.symbols.push(id);
                    self.symbols.get_mut(id).holds += 1;
                }
            }
            return;
        }
        for &id in &symbols {
            self.symbols.get_mut(id).holds += 1;
        }
        self.left.push(Left { memory, symbols });
    }

    /// Keeps the storage that an update would have used, if nothing else does by now.
    pub(super) fn leave_storage(&mut self, storage: Arc<Storage>) {
        // The update's own and this one.
        if Arc::strong_count(&storage) > 2 {
            return;
        }
        self.leave(Memory::Storage(storage), SmallVec::new());
    }

    /// Takes out the variables that only a thread can keep. `objects` are to be destroyed at
    /// some end: of the process, of threads.
    pub(super) fn take_left(&mut self, objects: &(Vec<u64>, Vec<u64>)) -> Vec<Left> {
        let Self { left, symbols, .. } = self;
        // What lives on in a newer generation is that one's.
        let wanted = |left: &Left| left.symbols.iter().any(|&id| symbols.get(id).wants > 0);
        let (ends, stays) = std::mem::take(left)
            .into_iter()
            .partition(|left| left.is_last() && !wanted(left) && !left.holds(objects));
        self.left = stays;
        ends
    }

    /// Puts back what is held; the rest is returned to be freed, and its names are forgotten.
    pub(super) fn settle_left(
        &mut self,
        left: Vec<Left>,
        findings: &Findings,
        owners: &[usize],
    ) -> Vec<Left> {
        let unknown = !findings.silent.is_empty() || findings.odd_stack.is_some();
        let (mut ends, mut held) = (Vec::new(), vec![unknown; left.len()]);
        for hit in &findings.hits {
            held[owners[hit.range]] = true;
        }
        for (left, held) in left.into_iter().zip(held) {
            // An update may have come to use it meanwhile.
            if held || !left.is_last() {
                self.left.push(left);
                continue;
            }
            for &id in &left.symbols {
                let leads = |target: Target| match (target, &left.memory) {
                    (Target::Data(to), Memory::Storage(storage)) => storage.block.range().contains(&to),
                    (Target::ThreadLocal(word), Memory::ThreadLocal(part)) => part.is_named(word),
                    _ => false,
                };
                let symbol = self.symbols.get_mut(id);
                if symbol.retired().is_some_and(|p| leads(p.target)) {
                    symbol.drop_retired();
                    let cells = self.symbols.settle(id);
                    self.symbols.store_addresses(id, &cells);
                }
                self.symbols.release(id);
            }
            ends.push(left);
        }
        ends
    }
}
