//! Small edits of ELF64 little-endian objects, to make relocations no compiler emits.

/// Sets the type of the first relocation of the section named `section` (such as
/// `.rela.text`) against a symbol named `symbol`, and returns its offset.
pub fn set_relocation_type(elf: &mut [u8], section: &str, symbol: &str, kind: u32) -> Option<u64> {
    let header = |elf: &[u8], index: usize| -> Option<usize> {
        Some(word(elf, 0x28, 8)? as usize + index * word(elf, 0x3a, 2)? as usize)
    };
    let count = word(elf, 0x3c, 2)? as usize;
    let names = word(elf, header(elf, word(elf, 0x3e, 2)? as usize)? + 0x18, 8)? as usize;
    for index in 0..count {
        let at = header(elf, index)?;
        let name = names + word(elf, at, 4)? as usize;
        if text(elf, name)? != section {
            continue;
        }
        let (start, size) = (word(elf, at + 0x18, 8)? as usize, word(elf, at + 0x20, 8)? as usize);
        let symbols = header(elf, word(elf, at + 0x28, 4)? as usize)?;
        let strings = header(elf, word(elf, symbols + 0x28, 4)? as usize)?;
        for entry in (start..start + size).step_by(24) {
            let wanted = word(elf, entry + 12, 4)? as usize;
            let found = word(elf, symbols + 0x18, 8)? as usize + wanted * 24;
            let name = word(elf, strings + 0x18, 8)? as usize + word(elf, found, 4)? as usize;
            if text(elf, name)? == symbol {
                let offset = word(elf, entry, 8)?;
                elf.get_mut(entry + 8..entry + 12)?.copy_from_slice(&kind.to_le_bytes());
                return Some(offset);
            }
        }
    }
    None
}

fn word(elf: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = elf.get(at..at + size)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn text(elf: &[u8], at: usize) -> Option<&str> {
    let rest = elf.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&rest[..end]).ok()
}
