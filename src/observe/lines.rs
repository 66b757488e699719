//! Which line of the source each address of a function came from.
//!
//! Owns reading line tables for profilers; debuggers read them for themselves.

use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId, Unit};

use super::piece::Piece;

/// From `address` on the code is of `line` of `file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub address: u64,
    pub line: u32,
    pub file: String,
}

/// All that is known of lines, by address; nothing where the tables are damaged.
pub(super) fn of(piece: &Piece) -> Vec<Line> {
    let mut lines = Vec::new();
    // What was read up to something damaged is as good as ever.
    let _ = read(piece, &mut lines);
    lines.retain(|line| piece.code.contains(&line.address));
    lines.sort_by_key(|line| line.address);
    lines.dedup();
    lines
}

fn read(piece: &Piece, lines: &mut Vec<Line>) -> gimli::Result<()> {
    let load =
        |id: SectionId| Ok::<_, gimli::Error>(EndianSlice::new(piece.section(id.name()), LittleEndian));
    let dwarf = Dwarf::load(load)?;
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = Unit::new(&dwarf, header)?;
        let Some(program) = unit.line_program.clone() else { continue };
        let folder = unit.comp_dir.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
        let mut names: Vec<Option<String>> = Vec::new();
        let mut rows = program.rows();
        while let Some((header, row)) = rows.next_row()? {
            let (false, Some(line)) = (row.end_sequence(), row.line()) else { continue };
            let at = row.file_index() as usize;
            if names.len() <= at {
                names.resize(at.min(1 << 16) + 1, None);
            }
            let Some(slot) = names.get_mut(at) else { continue };
            if slot.is_none() {
                let Some(file) = row.file(header) else { continue };
                let mut path = std::path::PathBuf::from(&folder);
                if let Some(directory) = file.directory(header) {
                    path.push(&*dwarf.attr_string(&unit, directory)?.to_string_lossy());
                }
                path.push(&*dwarf.attr_string(&unit, file.path_name())?.to_string_lossy());
                *slot = Some(path.to_string_lossy().into_owned());
            }
            let file = slot.clone().unwrap_or_default();
            let line = u32::try_from(line.get()).unwrap_or(u32::MAX);
            lines.push(Line { address: row.address(), line, file });
        }
    }
    Ok(())
}
