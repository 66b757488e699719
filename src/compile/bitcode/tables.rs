//! What stands where in a table of virtual functions.
//!
//! Owns the entries in their order, which digests do not tell. Deliberately does not know what
//! follows from another order.

use std::sync::Arc;

use super::Understood;
use super::constants::{Operand, operands};
use super::file::Outline;
use super::globals::{Global, Kind};

/// How names of tables begin in the C++ ABI of everything but Windows.
const PREFIX: &str = "_ZTV";
/// Tables are lists in a struct; nothing nests deeper.
const DEEPEST: u32 = 8;
const AGGREGATE: u32 = 7;

/// The entries of a table of virtual functions: names of functions, and nothing for what is not
/// one. `None` for other variables.
pub(super) fn entries(outline: &Outline, global: &Global) -> Understood<Option<Arc<[Arc<str>]>>> {
    let Some(value) = global.initialiser().filter(|_| global.name.starts_with(PREFIX)) else {
        return Ok(None);
    };
    let mut found = Vec::new();
    add(outline, value, 0, &mut found)?;
    Ok(Some(found.into()))
}

fn add(outline: &Outline, value: u64, depth: u32, found: &mut Vec<Arc<str>>) -> Understood<()> {
    if let Some(global) = outline.globals.get(value as usize) {
        let leads = matches!(global.kind, Kind::Function | Kind::Alias | Kind::Ifunc);
        found.push(if leads { global.name.clone() } else { Arc::default() });
        return Ok(());
    }
    let (constant, ops, _) = outline.constant(value)?;
    if constant.code != AGGREGATE || depth > DEEPEST {
        found.push(Arc::default());
        return Ok(());
    }
    operands(constant.code, ops, &mut |operand| match operand {
        Operand::Value(value) => add(outline, value, depth + 1, found),
        _ => Ok(()),
    })
}
