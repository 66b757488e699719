//! From relocated bytes to an image.
//!
//! Owns the last step of linking: what is to be run is collected in order, unwind
//! information is checked, and the blocks are filled.

use std::collections::HashMap;

use object::LittleEndian;

use super::apply::Linker;
use super::frames;
use super::functions::{Functions, name_at};
use super::image::{Image, Initialiser, Stored, ThreadLocal, ThreadLocals};
use super::lines::Lines;
use super::object::{Kind, Object, Place, Section};
use super::place::{Placement, Shared, Variable};
use super::prints::Prints;
use super::thread_storage::PlacedLocal;
use crate::error::Result;
use crate::observe::Piece;

const LE: LittleEndian = LittleEndian;

/// What a linked object does to the table.
pub(crate) struct Links {
    pub image: Image,
    /// Storage whose value was kept.
    pub kept: usize,
    /// What debuggers and profilers are told of it, where they are.
    pub piece: Option<Piece>,
}

impl Linker<'_, '_> {
    pub(super) fn finish(mut self) -> Result<Links> {
        self.name_constants();
        let prints = Prints::new(&self.placement.object, &self.placement.starts, &self.placement.homes);
        let functions = Functions::of(&self.placement, &prints);
        let piece = self.piece(&functions);
        let lines = Lines::of(&self.placement);
        let initial = |section: usize| prints.of(section, 0, u64::MAX);
        let locals = self.placement.locals.iter().map(|local| initial(local.section));
        let initial_locals: Vec<u64> = locals.collect();
        let variables = self.placement.variables.iter();
        let initial: Vec<u64> = variables.map(|v| v.section.map_or(0, initial)).collect();
        let Placement {
            object,
            sections,
            keeps,
            code,
            constants,
            shared,
            variables,
            thread_locals,
            locals,
            kept,
            ..
        } = self.placement;
        let mut image = Image {
            descriptors: self.descriptors,
            baked: self.baked,
            functions,
            lines,
            keeps,
            ..Image::default()
        };
        let code_range = code.address()..code.address() + code.bytes.len() as u64;
        let mut run = Vec::new();
        for (section, placed) in object.sections.iter().zip(&sections) {
            let bytes = placed.offset..placed.offset + section.size as usize;
            match section.kind {
                Kind::Frames if section.size > 0 => {
                    // With the terminator that `place` left room for.
                    let records = &constants.bytes[bytes.start..bytes.end + 4];
                    frames::check(records, placed.address, code_range.clone())?;
                    image.unregistered_frames.push(placed.address);
                }
                Kind::Init | Kind::Fini if section.size > 0 => {
                    let mut functions = initialisers(&object, section, &constants.bytes[bytes]);
                    // The old sections are run from the end, within and among themselves.
                    let old = is_old(section.name);
                    if old {
                        functions.reverse();
                    }
                    let at = if old { 0 } else { run.len() };
                    run.insert(at, (section.kind, functions));
                }
                _ => {}
            }
        }
        for (kind, functions) in run {
            let list = if kind == Kind::Init { &mut image.init } else { &mut image.fini };
            list.extend(functions);
        }
        for buffer in [&code, &constants] {
            if let Some(block) = &buffer.block {
                block.fill(&buffer.bytes);
            }
        }
        for Shared { constant, fresh, .. } in shared {
            let Some((key, constant)) = constant else { continue };
            if let Some(bytes) = fresh {
                constant.block.fill(&bytes);
            }
            image.interned.push((key, constant));
        }
        for (variable, initial) in variables.into_iter().zip(initial) {
            let Variable { key, storage, fresh, names, .. } = variable;
            let kept = fresh.is_none();
            if let Some(bytes) = fresh {
                storage.block.fill(&bytes);
            }
            image.storages.push(Stored { key, storage, initial, kept, names });
        }
        let locals = locals.into_iter().zip(initial_locals).map(|(local, initial)| {
            let PlacedLocal { key, shape, part, fresh, names, .. } = local;
            if let Some(bytes) = fresh {
                // Nothing uses this part of the block yet, whichever threads have one.
                part.initialise(&bytes);
            }
            ThreadLocal { key, shape, part, initial, names }
        });
        let variables: Vec<ThreadLocal> = locals.collect();
        image.thread_locals = thread_locals.map(|block| ThreadLocals { block, variables });
        image.code = code.block;
        image.constants = constants.block;
        Ok(Links { image, kept, piece })
    }

    /// Notes in every new constant which symbols it names.
    fn name_constants(&mut self) {
        let Placement { object, shared, starts, .. } = &self.placement;
        for Shared { section, constant, fresh } in shared {
            let (Some((_, constant)), Some(_)) = (constant, fresh) else { continue };
            let mut names = Vec::new();
            for relocation in object.sections[*section].relocations {
                let symbol = relocation.r_sym(LE, false) as usize;
                let local = || match object.symbols[symbol].place {
                    Place::Section(section) if object.sections[section].kind == Kind::Code => {
                        let addend = relocation.r_addend.get(LE) as u64;
                        let at = starts.at(section, object.symbols[symbol].value.wrapping_add(addend));
                        let at = at.and_then(|function| self.ids[function].or(self.known[function].local));
                        at.or(self.known[symbol].local)
                    }
                    _ => None,
                };
                names.extend(self.ids[symbol].or_else(local));
            }
            names.sort_unstable();
            names.dedup();
            // Nobody else sets it: only what made the constant has its bytes.
            _ = constant.names.set(names.into());
        }
    }
}

/// The functions that a section lists, with their names where they have some.
fn initialisers(object: &Object<'_>, section: &Section<'_>, bytes: &[u8]) -> Vec<Initialiser> {
    let priority = priority(section.name);
    let mut named = HashMap::new();
    for relocation in section.relocations {
        let symbol = &object.symbols[relocation.r_sym(LE, false) as usize];
        let addend = relocation.r_addend.get(LE) as u64;
        let name = match symbol.place {
            Place::Section(section) => name_at(object, section, symbol.value.wrapping_add(addend)),
            _ => Some(symbol.name),
        };
        named.insert(relocation.r_offset.get(LE), name);
    }
    let words = bytes.chunks_exact(8).map(|w| w.try_into().map_or(0, u64::from_le_bytes));
    // .ctors and .dtors may mark their ends with 0 and -1.
    let words = (0u64..).step_by(8).zip(words).filter(|(_, w)| !matches!(*w, 0 | u64::MAX));
    let one = |(at, address)| Initialiser {
        priority,
        address,
        name: named.get(&at).copied().flatten().map(Into::into),
    };
    words.map(one).collect()
}

/// When the functions of a section run, lowest first: by the number in its name, those
/// without one last. `.ctors` and `.dtors` count the other way round.
fn priority(name: &str) -> u32 {
    let number = name.rsplit('.').next().and_then(|n| n.parse::<u32>().ok());
    match number {
        Some(n) if is_old(name) => 65535 - n.min(65535),
        Some(n) => n.min(65535),
        None if name.starts_with(".preinit_array") => 0,
        None => 65536,
    }
}

fn is_old(name: &str) -> bool {
    name.starts_with(".ctors") || name.starts_with(".dtors")
}

#[cfg(test)]
mod tests {
    use super::priority;

    #[test]
    fn priorities_order_as_linkers_do() {
        let mut names = [".init_array", ".ctors.65530", ".init_array.00200", ".init_array.101", ".ctors"];
        names.sort_by_key(|name| priority(name));
        assert_eq!(names, [".ctors.65530", ".init_array.101", ".init_array.00200", ".init_array", ".ctors"]);
    }
}
