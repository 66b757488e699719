//! What the relocations of an object need beside its sections.
//!
//! Owns the count of private cells and veneers, made before anything is placed, and the
//! refusal of relocation types that nobody knows.

use std::collections::HashSet;

use object::LittleEndian;

use super::object::{Binding, Object};
use super::relocate::{self, Operand};
use crate::error::{Error, ErrorKind, Result};

const LE: LittleEndian = LittleEndian;

/// What the relocations of an object need beside its sections.
#[derive(Default)]
pub(crate) struct Needs {
    /// 8-byte cells and 16-byte pairs of the object's own.
    pub(super) cells: usize,
    pub(super) pairs: usize,
    /// What branches of limited reach lead to: each may need a veneer.
    pub(super) far: HashSet<(usize, i64)>,
    /// Symbols whose offset from the thread pointer must be a constant.
    pub static_tls: Vec<usize>,
}

/// Counts what the relocations need, and refuses types that are unknown.
pub(crate) fn survey(object: &Object<'_>) -> Result<Needs> {
    let mut needs = Needs::default();
    for section in &object.sections {
        for relocation in section.relocations {
            let kind = relocation.r_type(LE, false).0;
            let index = relocation.r_sym(LE, false) as usize;
            let Some(howto) = relocate::howto(object.arch, kind) else {
                let symbol = object.symbols[index].name;
                return Err(Error::new(
                    ErrorKind::Link,
                    format!(
                        "unknown relocation {} at {}+{:#x} against {}",
                        relocate::name(object.arch, kind),
                        section.name,
                        relocation.r_offset.get(LE),
                        if symbol.is_empty() { "a section" } else { symbol },
                    ),
                )
                .about(symbol)
                .hint("compile with -fPIC, with a compiler for this architecture"));
            };
            if relocate::is_far_branch(howto.field) {
                needs.far.insert((index, relocation.r_addend.get(LE)));
            }
            match howto.operand {
                Operand::Cell | Operand::CellOffset if object.symbols[index].binding == Binding::Local => {
                    needs.cells += 1;
                }
                Operand::TlsThreadCell => {
                    needs.cells += 1;
                    needs.static_tls.push(index);
                }
                Operand::TlsThreadOffset => needs.static_tls.push(index),
                Operand::TlsPair | Operand::TlsModulePair => needs.pairs += 1,
                Operand::TlsDescriptor => needs.pairs += 2,
                _ => {}
            }
        }
    }
    Ok(needs)
}
