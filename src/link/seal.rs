//! From relocated bytes to an image.
//!
//! Owns the last step of linking: what is to be run is collected in order, unwind
//! information is checked, and the blocks are filled.

use super::apply::Linker;
use super::frames;
use super::image::Image;
use super::object::Kind;
use super::place::Placement;
use crate::error::Result;

/// What a linked object does to the table.
pub(crate) struct Links {
    pub image: Image,
    /// Storage whose value was kept.
    pub kept: usize,
}

impl Linker<'_, '_> {
    pub(super) fn finish(self) -> Result<Links> {
        let Placement {
            object, sections, code, constants, variables, thread_locals, fresh_tls, kept, ..
        } = self.placement;
        let mut image = Image { descriptors: self.descriptors, ..Image::default() };
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
                    let words = constants.bytes[bytes].chunks_exact(8);
                    let words = words.map(|w| w.try_into().map_or(0, u64::from_le_bytes));
                    // .ctors and .dtors may mark their ends with 0 and -1.
                    let mut functions: Vec<u64> = words.filter(|w| !matches!(*w, 0 | u64::MAX)).collect();
                    // The old sections are run from the end, within and among themselves.
                    let old = is_old(section.name);
                    if old {
                        functions.reverse();
                    }
                    let at = if old { 0 } else { run.len() };
                    run.insert(at, (priority(section.name), section.kind, functions));
                }
                _ => {}
            }
        }
        for (priority, kind, functions) in run {
            let list = if kind == Kind::Init { &mut image.init } else { &mut image.fini };
            list.extend(functions.into_iter().map(|function| (priority, function)));
        }
        for buffer in [&code, &constants] {
            if let Some(block) = &buffer.block {
                block.fill(&buffer.bytes);
            }
        }
        for variable in variables {
            if let Some(bytes) = variable.fresh {
                variable.storage.block.fill(&bytes);
            }
            image.storages.push((variable.key, variable.storage));
        }
        if let (Some(locals), Some(bytes)) = (&thread_locals, fresh_tls) {
            locals.block.initialise(&bytes);
        }
        image.code = code.block;
        image.constants = constants.block;
        image.thread_locals = thread_locals;
        Ok(Links { image, kept })
    }
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
