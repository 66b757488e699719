//! Constants of a module or of a function, by number.
//!
//! Owns what the operands of a constant are: types, values, plain numbers. Their content is
//! digested elsewhere.

use super::bitstream::{Block, BlockInfo, Entry, Reader, Record};
use super::{NotUnderstood, Understood};

pub(super) const SETTYPE: u32 = 1;
pub(super) const NULL: u32 = 2;
pub(super) const BLOCK_ADDRESS: u32 = 21;

pub(super) struct Constant {
    pub r#type: u32,
    pub code: u32,
    at: u32,
    count: u32,
}

/// The constants of one or more CONSTANTS blocks, in order.
#[derive(Default)]
pub(super) struct Constants {
    pub list: Vec<Constant>,
    pool: Vec<u64>,
}

/// What an operand of a constant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    Type(u64),
    Value(u64),
    Number(u64),
}

impl Constants {
    pub fn ops(&self, constant: &Constant) -> &[u64] {
        let at = constant.at as usize;
        self.pool.get(at..at + constant.count as usize).unwrap_or_default()
    }

    pub fn clear(&mut self) {
        self.list.clear();
        self.pool.clear();
    }

    /// Reads a CONSTANTS block.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        block: &Block,
        info: &BlockInfo,
        record: &mut Record<'a>,
    ) -> Understood<()> {
        let mut reader = Reader::new(bytes, block, info);
        // LLVM's own choice before the first SETTYPE would be i32; its writer always says.
        let mut r#type = None;
        loop {
            match reader.next(record)? {
                Entry::End => return Ok(()),
                Entry::Block(_) => return Err(NotUnderstood("a block within the constants")),
                Entry::Abbreviation => {}
                Entry::Record if record.code == SETTYPE => r#type = Some(record.op(0)? as u32),
                Entry::Record => {
                    let r#type = r#type.ok_or(NotUnderstood("a constant without a type"))?;
                    let at =
                        u32::try_from(self.pool.len()).map_err(|_| NotUnderstood("too many constants"))?;
                    self.pool.extend_from_slice(&record.ops);
                    let count = record.ops.len() as u32;
                    self.list.push(Constant { r#type, code: record.code, at, count });
                }
            }
        }
    }
}

/// Says of each operand of a constant what it is.
pub(super) fn operands(
    code: u32,
    ops: &[u64],
    visit: &mut impl FnMut(Operand) -> Understood<()>,
) -> Understood<()> {
    use Operand::{Number, Type, Value};
    match (code, ops) {
        // NULL, UNDEF, POISON
        (2 | 3 | 26, []) => Ok(()),
        // INTEGER, WIDE_INTEGER, FLOAT, STRING, CSTRING, DATA
        (4 | 5 | 6 | 8 | 9 | 22, numbers) => numbers.iter().try_for_each(|n| visit(Number(*n))),
        // AGGREGATE, CE_SELECT, CE_SHUFFLEVEC, PTRAUTH
        (7 | 13 | 16 | 33, values) => values.iter().try_for_each(|v| visit(Value(*v))),
        // CE_BINOP: opcode, two values, flags
        (10, [opcode, left, right, flags @ ..]) => {
            visit(Number(*opcode))?;
            visit(Value(*left))?;
            visit(Value(*right))?;
            flags.iter().try_for_each(|n| visit(Number(*n)))
        }
        // CE_UNOP
        (25, [opcode, value, flags @ ..]) => {
            visit(Number(*opcode))?;
            visit(Value(*value))?;
            flags.iter().try_for_each(|n| visit(Number(*n)))
        }
        // CE_CAST
        (11, [opcode, from, value, flags @ ..]) => {
            visit(Number(*opcode))?;
            visit(Type(*from))?;
            visit(Value(*value))?;
            flags.iter().try_for_each(|n| visit(Number(*n)))
        }
        // CE_EXTRACTELT
        (14, [_, _, _, _]) => typed_values(ops, visit),
        // CE_INSERTELT
        (15, [vector, element, rest @ ..]) if rest.len() == 2 => {
            visit(Value(*vector))?;
            visit(Value(*element))?;
            typed_values(rest, visit)
        }
        // CE_SHUFVEC_EX, BLOCKADDRESS' function, DSO_LOCAL_EQUIVALENT, NO_CFI
        (19, [of, values @ ..]) => {
            visit(Type(*of))?;
            values.iter().try_for_each(|v| visit(Value(*v)))
        }
        (27 | 29, [of, value]) => {
            visit(Type(*of))?;
            visit(Value(*value))
        }
        (BLOCK_ADDRESS, [of, function, block]) => {
            visit(Type(*of))?;
            visit(Value(*function))?;
            visit(Number(*block))
        }
        // INLINEASM: type, then only numbers and characters.
        (30, [of, rest @ ..]) => {
            visit(Type(*of))?;
            rest.iter().try_for_each(|n| visit(Number(*n)))
        }
        // CE_GEP_WITH_INRANGE: the range is a width and two bounds.
        (31, [of, flags, width, rest @ ..]) => {
            visit(Type(*of))?;
            visit(Number(*flags))?;
            visit(Number(*width))?;
            if *width > 64 || rest.len() < 2 {
                return Err(NotUnderstood("a wide range"));
            }
            let (range, rest) = rest.split_at(2);
            range.iter().try_for_each(|n| visit(Number(*n)))?;
            typed_values(rest, visit)
        }
        // CE_GEP
        (32, [of, flags, rest @ ..]) => {
            visit(Type(*of))?;
            visit(Number(*flags))?;
            typed_values(rest, visit)
        }
        _ => Err(NotUnderstood("an unknown kind of constant")),
    }
}

fn typed_values(ops: &[u64], visit: &mut impl FnMut(Operand) -> Understood<()>) -> Understood<()> {
    let pairs = ops.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(NotUnderstood("a value without a type"));
    }
    for pair in pairs {
        visit(Operand::Type(pair[0]))?;
        visit(Operand::Value(pair[1]))?;
    }
    Ok(())
}
