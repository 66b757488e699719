//! What the operands of each instruction are.
//!
//! One entry for every record that LLVM 19 writes into a function; a record that is not here is
//! not understood, and its function counts as changed. A value is written as its distance from
//! the next one, with its type where it comes later. Debug information is passed over.

use super::function::Walker;
use super::types;
use super::{NotUnderstood, Understood};

/// Line and column of an instruction.
const DEBUG_LOC: u32 = 35;
const CALL_EXPLICIT_TYPE: u64 = 1 << 15;
const CALL_HAS_FLAGS: u64 = 1 << 17;
const INVOKE_EXPLICIT_TYPE: u64 = 1 << 13;

/// Whether an instruction defines a value.
#[derive(PartialEq, Eq)]
enum Defines {
    Yes,
    No,
    /// It is no instruction, or one that does not count.
    Nothing,
}

impl Walker<'_, '_> {
    /// Digests the record that has been read.
    pub fn instruction(&mut self) -> Understood<()> {
        use Defines::{No, Nothing, Yes};
        let code = self.record.code;
        match code {
            // Debug locations and records, and who has the address of a block of this function.
            DEBUG_LOC if self.lines => {
                self.content.number(u64::from(code));
                for at in 0..2 {
                    let place = self.record.op(at)?;
                    self.content.number(place);
                }
                return Ok(());
            }
            33 | DEBUG_LOC | 60 | 61..=65 => return Ok(()),
            34 => return self.call(),
            _ => {}
        }
        self.content.number(u64::from(code));
        self.content.number(self.record.ops.len() as u64);
        let defines = match code {
            // DECLAREBLOCKS
            1 => {
                self.numbers()?;
                Nothing
            }
            // BINOP, CMP, CMP2
            2 | 9 | 28 => {
                self.typed_value()?;
                self.untyped_value()?;
                self.numbers()?;
                Yes
            }
            // CAST
            3 => {
                self.typed_value()?;
                self.a_type()?;
                self.numbers()?;
                Yes
            }
            // GEP
            43 => {
                self.a_number()?;
                self.a_type()?;
                self.typed_values()?;
                Yes
            }
            // UNOP, EXTRACTVAL
            56 | 26 => {
                self.typed_value()?;
                self.numbers()?;
                Yes
            }
            // INSERTVAL
            27 => {
                self.typed_value()?;
                self.typed_value()?;
                self.numbers()?;
                Yes
            }
            // VSELECT
            29 => {
                self.typed_value()?;
                self.untyped_value()?;
                self.typed_value()?;
                self.numbers()?;
                Yes
            }
            // EXTRACTELT, FREEZE
            6 | 58 => {
                self.typed_values()?;
                Yes
            }
            // INSERTELT, SHUFFLEVEC
            7 | 8 => {
                self.typed_value()?;
                self.untyped_value()?;
                self.typed_value()?;
                Yes
            }
            // LOAD
            20 => {
                self.typed_value()?;
                self.a_type()?;
                self.numbers()?;
                Yes
            }
            // LOADATOMIC: alignment, volatile, ordering, scope
            41 => {
                self.typed_value()?;
                self.a_type()?;
                self.some_numbers(3)?;
                self.a_scope()?;
                Yes
            }
            // STORE
            44 => {
                self.typed_value()?;
                self.typed_value()?;
                self.numbers()?;
                No
            }
            // STOREATOMIC
            45 => {
                self.typed_value()?;
                self.typed_value()?;
                self.some_numbers(3)?;
                self.a_scope()?;
                No
            }
            // CMPXCHG: volatile, ordering, scope, ordering, weak, alignment
            46 => {
                self.typed_value()?;
                self.typed_value()?;
                self.untyped_value()?;
                self.some_numbers(2)?;
                self.a_scope()?;
                self.numbers()?;
                Yes
            }
            // ATOMICRMW: operation, volatile, ordering, scope, alignment
            59 => {
                self.typed_value()?;
                self.typed_value()?;
                self.some_numbers(3)?;
                self.a_scope()?;
                self.numbers()?;
                Yes
            }
            // FENCE
            36 => {
                self.a_number()?;
                self.a_scope()?;
                No
            }
            // ALLOCA: the size is a constant by its absolute number.
            19 => {
                self.a_type()?;
                self.a_type()?;
                let size = self.operand()?;
                self.value(size, false)?;
                self.numbers()?;
                Yes
            }
            // PHI: distances have signs; an even number of operands ends with flags.
            16 => {
                self.a_type()?;
                while self.left() >= 2 {
                    let distance = self.operand()?;
                    let signed = if distance & 1 == 0 {
                        (distance >> 1) as i64
                    } else {
                        ((distance >> 1) as i64).wrapping_neg()
                    };
                    self.value(self.number.wrapping_sub(signed as u64), false)?;
                    self.a_number()?;
                }
                self.numbers()?;
                Yes
            }
            // RET, RESUME
            10 | 39 => {
                self.typed_values()?;
                No
            }
            // BR: one block, or two and a condition.
            11 => {
                self.a_number()?;
                if self.left() > 0 {
                    self.a_number()?;
                    self.untyped_value()?;
                }
                No
            }
            // SWITCH: cases are constants by their absolute numbers.
            12 => {
                self.a_type()?;
                self.untyped_value()?;
                self.a_number()?;
                while self.left() > 0 {
                    let case = self.operand()?;
                    self.value(case, false)?;
                    self.a_number()?;
                }
                No
            }
            // INDIRECTBR
            31 => {
                self.a_type()?;
                self.untyped_value()?;
                self.numbers()?;
                No
            }
            // UNREACHABLE
            15 => No,
            // INVOKE
            13 => {
                let attributes = self.operand()?;
                let convention = self.a_number()?;
                self.some_numbers(2)?;
                self.callee(attributes, convention & INVOKE_EXPLICIT_TYPE != 0)?
            }
            // CALLBR
            57 => {
                let attributes = self.operand()?;
                let convention = self.a_number()?;
                self.a_number()?;
                let blocks = self.a_number()?;
                self.some_numbers(blocks)?;
                self.callee(attributes, convention & CALL_EXPLICIT_TYPE != 0)?
            }
            // LANDINGPAD: whether it cleans up, and clauses, each with its kind.
            47 => {
                self.a_type()?;
                self.some_numbers(2)?;
                while self.left() > 0 {
                    self.a_number()?;
                    self.typed_value()?;
                }
                Yes
            }
            // CLEANUPRET, CATCHRET
            48 | 49 => {
                self.untyped_value()?;
                self.numbers()?;
                No
            }
            // CATCHPAD, CLEANUPPAD
            50 | 51 => {
                self.untyped_value()?;
                self.a_number()?;
                self.typed_values()?;
                Yes
            }
            // CATCHSWITCH
            52 => {
                self.untyped_value()?;
                self.numbers()?;
                Yes
            }
            // VAARG
            23 => {
                self.a_type()?;
                self.untyped_value()?;
                self.a_type()?;
                Yes
            }
            // OPERAND_BUNDLE: belongs to the call that comes next.
            55 => {
                let tag = self.operand()?;
                self.content.bytes(self.module.names.bundle(tag)?);
                self.typed_values()?;
                Nothing
            }
            _ => return Err(NotUnderstood("an unknown instruction")),
        };
        self.defined(defines)
    }

    fn defined(&mut self, defines: Defines) -> Understood<()> {
        if self.left() > 0 {
            return Err(NotUnderstood("an instruction with more operands than it has"));
        }
        self.instructions += u32::from(defines != Defines::Nothing);
        self.number += u64::from(defines == Defines::Yes);
        Ok(())
    }

    fn call(&mut self) -> Understood<()> {
        let attributes = self.operand()?;
        let convention = self.operand()?;
        let flags = if convention & CALL_HAS_FLAGS != 0 { self.operand()? } else { 0 };
        // Calls that are debug information are not code; they do not define anything.
        let callee = self.record.op(self.next + 1)?;
        let callee = self.absolute(callee);
        if self.module.is_debug.get(callee as usize) == Some(&true) {
            self.skipped.push(self.instructions + self.skipped.len() as u32);
            return Ok(());
        }
        self.content.number(34);
        self.content.number(self.record.ops.len() as u64);
        self.content.number(convention);
        self.content.number(flags);
        let defines = self.callee(attributes, convention & CALL_EXPLICIT_TYPE != 0)?;
        self.defined(defines)
    }

    /// Attributes, type, what is called, and with what.
    fn callee(&mut self, attributes: u64, explicit: bool) -> Understood<Defines> {
        if !explicit {
            return Err(NotUnderstood("a call without a type"));
        }
        let flags = self.attributes(attributes)?;
        let id = self.a_type()?;
        let types::Kind::Function { variadic, result } = self.contents.outline.types.get(id)?.kind else {
            return Err(NotUnderstood("a call of no function type"));
        };
        let distance = self.operand()?;
        let callee = self.absolute(distance);
        self.value(callee, true)?;
        if callee >= self.number {
            self.a_type()?;
        }
        self.returns_twice |= flags.returns_twice;
        self.returns_twice |= self.module.returns_twice.get(callee as usize) == Some(&true);
        let count = self.contents.outline.types.parameters(self.contents.outline.types.get(id)?).len();
        let starts_with = self.module.starts_with.get(callee as usize).copied().flatten();
        for index in 0..count {
            if starts_with == Some(index) {
                self.starts(self.next)?;
            }
            let outline = &self.contents.outline;
            let parameter = outline.types.parameters(outline.types.get(id)?)[index];
            match outline.types.get(u64::from(parameter))?.kind {
                types::Kind::Metadata => {
                    let distance = self.operand()?;
                    let node = self.absolute(distance);
                    self.metadata(node, 0)?;
                }
                types::Kind::Label => return Err(NotUnderstood("a call with a block")),
                _ => self.untyped_value()?,
            }
        }
        if variadic {
            self.typed_values()?;
        }
        let result = self.contents.outline.types.get(u64::from(result))?.kind;
        Ok(if result == types::Kind::Void { Defines::No } else { Defines::Yes })
    }

    /// A thread begins with the operand at `place`.
    fn starts(&mut self, place: usize) -> Understood<()> {
        let begin = self.absolute(self.record.op(place)?);
        self.begins_thread(begin);
        Ok(())
    }

    fn left(&self) -> usize {
        self.record.ops.len().saturating_sub(self.next)
    }

    #[inline]
    fn operand(&mut self) -> Understood<u64> {
        let op = self.record.op(self.next)?;
        self.next += 1;
        Ok(op)
    }

    /// The number of a value from its distance, which has 32 bits.
    #[inline]
    fn absolute(&self, distance: u64) -> u64 {
        u64::from((self.number as u32).wrapping_sub(distance as u32))
    }

    fn a_number(&mut self) -> Understood<u64> {
        let number = self.operand()?;
        self.content.number(number);
        Ok(number)
    }

    fn some_numbers(&mut self, count: u64) -> Understood<()> {
        for _ in 0..count {
            self.a_number()?;
        }
        Ok(())
    }

    /// All that are left.
    fn numbers(&mut self) -> Understood<()> {
        while self.left() > 0 {
            self.a_number()?;
        }
        Ok(())
    }

    fn a_type(&mut self) -> Understood<u64> {
        let id = self.operand()?;
        self.r#type(id)?;
        Ok(id)
    }

    fn a_scope(&mut self) -> Understood<()> {
        let scope = self.operand()?;
        self.content.bytes(self.module.names.scope(scope)?);
        Ok(())
    }

    #[inline]
    fn untyped_value(&mut self) -> Understood<()> {
        let distance = self.operand()?;
        self.value(self.absolute(distance), false)
    }

    /// A value, and its type if it comes later.
    #[inline]
    fn typed_value(&mut self) -> Understood<()> {
        let distance = self.operand()?;
        let value = self.absolute(distance);
        self.value(value, false)?;
        if value >= self.number {
            self.a_type()?;
        }
        Ok(())
    }

    /// All that are left.
    fn typed_values(&mut self) -> Understood<()> {
        while self.left() > 0 {
            self.typed_value()?;
        }
        Ok(())
    }
}
