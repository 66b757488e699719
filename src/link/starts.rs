//! Which function an offset of a section of code belongs to.
//!
//! Owns the order of an object's functions, what tells local ones of one name apart, and
//! which of them are parts of coroutines. Knows nothing of addresses.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::object::{Binding, Kind, Object, Place, SymbolKind};
pub(super) use crate::scoped::is_parallel_part;
use crate::table::SymbolId;

pub(super) struct Starts {
    /// Functions by where they start: (section, offset, symbol index), sorted; among those of one
    /// place global symbols first, and of these the ones that no other module can define.
    list: Vec<(usize, u64, usize)>,
    /// Empty until it is needed.
    ordinals: OnceCell<Vec<u32>>,
}

impl Starts {
    pub(super) fn new(object: &Object<'_>, ids: &[Option<SymbolId>]) -> Self {
        let functions = object.symbols.iter().enumerate().filter_map(|(index, symbol)| match symbol.place {
            Place::Section(section)
                if object.sections[section].kind == Kind::Code && symbol.kind == SymbolKind::Function =>
            {
                Some((section, symbol.value, index))
            }
            _ => None,
        });
        let mut list: Vec<_> = functions.collect();
        // Who refers to the place and not to a symbol means this code: by a weak alias of it
        // (`_ZTH…` of an inline thread-local) the call could lead to another module's.
        list.sort_unstable_by_key(|&(section, value, index)| {
            let weak = object.symbols[index].binding == Binding::Weak;
            (section, value, ids[index].is_none(), weak, index)
        });
        Self { list, ordinals: OnceCell::new() }
    }

    /// The function that starts at `offset` of `section`.
    pub(super) fn at(&self, section: usize, offset: u64) -> Option<usize> {
        let at = self.list.partition_point(|&(s, o, _)| (s, o) < (section, offset));
        let &(s, o, symbol) = self.list.get(at)?;
        ((s, o) == (section, offset)).then_some(symbol)
    }

    /// The function whose code is at `offset` of `section`, and how far into it that is.
    pub(super) fn around(&self, section: usize, offset: u64) -> Option<(usize, u64)> {
        let end = self.list.partition_point(|&(s, o, _)| (s, o) <= (section, offset));
        let &(s, start, _) = self.list.get(end.checked_sub(1)?)?;
        if s != section {
            return None;
        }
        // The first of those that start there.
        let before = self.list[..end].iter().rev().take_while(|&&(s, o, _)| (s, o) == (section, start));
        before.last().map(|&(.., symbol)| (symbol, offset - start))
    }

    /// How many local functions of the same name come before `function`: objects that a
    /// linker has combined may have several.
    pub(super) fn ordinal(&self, object: &Object<'_>, function: usize) -> u32 {
        let ordinals = self.ordinals.get_or_init(|| {
            let mut seen: HashMap<&str, u32, foldhash::fast::RandomState> = HashMap::default();
            let mut ordinals = Vec::with_capacity(object.symbols.len());
            // Those that have a symbol of their own in the table are the first of their name.
            seen.extend(object.symbols.iter().filter(|s| s.scoped).map(|s| (s.name, 1)));
            for symbol in &object.symbols {
                let function = matches!(symbol.kind, SymbolKind::Function | SymbolKind::IndirectFunction);
                if function && symbol.binding == Binding::Local {
                    let next = seen.entry(symbol.name).or_default();
                    ordinals.push(*next);
                    *next += 1;
                } else {
                    ordinals.push(0);
                }
            }
            ordinals
        });
        ordinals[function]
    }
}

/// Whether a local function of this name is a part of a coroutine: its address in a
/// coroutine's frame has to stay that of the generation that laid the frame out.
pub(super) fn is_coroutine_part(name: &str) -> bool {
    name.split('.').skip(1).any(|part| matches!(part, "resume" | "destroy" | "cleanup" | "actor"))
}

/// Whether gcc gives a function inside of another one such a name. It reads that one's frame.
pub(super) fn is_nested(name: &str) -> bool {
    let number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    name.split_once('.').is_some_and(|(outer, n)| !outer.is_empty() && number(n))
}

#[cfg(test)]
mod tests {
    use super::{is_coroutine_part, is_nested, is_parallel_part};

    #[test]
    fn functions_that_get_a_record_or_frame_are_told_by_their_names() {
        for name in ["main._omp_fn.0", "main.omp_outlined", ".omp_outlined..3", ".omp_task_entry."] {
            assert!(is_parallel_part(name) && !is_nested(name), "{name}");
        }
        for name in ["f.constprop.0", "compare", "f.part.0.cold", "f.", ".0"] {
            assert!(!is_parallel_part(name) && !is_nested(name), "{name}");
        }
        assert!(is_nested("visit.0") && !is_parallel_part("visit.0"));
    }

    #[test]
    fn parts_of_coroutines_are_told_by_their_names() {
        for name in ["_Z3runv.resume", "_Z3runv.destroy", "_Z3runv.cleanup", "_Z3runPZ3runvE.Frame.actor"] {
            assert!(is_coroutine_part(name), "{name}");
        }
        for name in ["resume", "f.cold", "f.part.0", "actor", "destroy_all", "f.constprop.0"] {
            assert!(!is_coroutine_part(name), "{name}");
        }
    }
}
