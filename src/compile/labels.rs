//! Whether the addresses of labels stay where they are used.
//!
//! A computed goto takes addresses of labels, as a rule from a constant table, and jumps.
//! Where they go nowhere else no address of the code can be in memory. Owns the proof;
//! anything it does not know counts as an escape. Also finds the variables that such addresses are
//! in, which mean nothing to other code of the function. Changes nothing in the module.
#![allow(unsafe_code)]

use std::collections::HashSet;

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMLinkage, LLVMOpcode};

use super::llvm::{name, symbol_name, users, values};

/// Whether no address of a label gets anywhere but into jumps of its function. To be asked
/// after optimisation.
pub(super) unsafe fn stay(module: LLVMModuleRef) -> bool {
    // SAFETY: a live, verified module; blocks are walked as they are linked.
    unsafe {
        let mut proof = Proof::default();
        for function in values(LLVMGetFirstFunction(module), LLVMGetNextFunction) {
            let mut block = LLVMGetFirstBasicBlock(function);
            while !block.is_null() {
                for user in users(LLVMBasicBlockAsValue(block)) {
                    let address = LLVMIsABlockAddress(user);
                    if !address.is_null() && !proof.address(address) {
                        return false;
                    }
                }
                block = LLVMGetNextBasicBlock(block);
            }
        }
    }
    true
}

/// The variables that are initialised with addresses of labels, or with what is made from some.
pub(super) unsafe fn tables(module: LLVMModuleRef) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    // SAFETY: as in `stay`; the users of an address are constants and what they initialise, or
    // instructions, which are not followed.
    unsafe {
        let mut open = Vec::new();
        for function in values(LLVMGetFirstFunction(module), LLVMGetNextFunction) {
            let mut block = LLVMGetFirstBasicBlock(function);
            while !block.is_null() {
                let all = users(LLVMBasicBlockAsValue(block)).into_iter();
                open.extend(all.filter(|&user| !LLVMIsABlockAddress(user).is_null()));
                block = LLVMGetNextBasicBlock(block);
            }
        }
        while let Some(value) = open.pop() {
            if LLVMIsAConstant(value).is_null() || !seen.insert(value) {
                continue;
            }
            if LLVMIsAGlobalValue(value).is_null() {
                open.extend(users(value));
            } else if !LLVMIsAGlobalVariable(value).is_null() && LLVMIsGlobalConstant(value) == 0 {
                found.push(symbol_name(value));
            }
        }
    }
    found
}

#[derive(Default)]
struct Proof {
    /// What is shown already, or being shown.
    seen: HashSet<LLVMValueRef>,
}

impl Proof {
    /// A value that is an address of a label, or is made from one: each of its uses must be
    /// known to be harmless.
    unsafe fn address(&mut self, value: LLVMValueRef) -> bool {
        if !self.seen.insert(value) {
            return true;
        }
        // SAFETY: a live value and its users.
        unsafe {
            users(value).into_iter().all(|user| {
                if !LLVMIsAInstruction(user).is_null() {
                    return self.instruction(user, value);
                }
                if !LLVMIsAGlobalVariable(user).is_null() {
                    return self.table(user);
                }
                if LLVMIsAConstantExpr(user).is_null() {
                    // An array or a struct.
                    return LLVMIsAFunction(user).is_null()
                        && LLVMIsAGlobalAlias(user).is_null()
                        && self.address(user);
                }
                match LLVMGetConstOpcode(user) {
                    // The distance of two labels is no address.
                    LLVMOpcode::LLVMSub => true,
                    LLVMOpcode::LLVMPtrToInt => users(user).into_iter().all(|user| {
                        !LLVMIsAConstantExpr(user).is_null()
                            && LLVMGetConstOpcode(user) == LLVMOpcode::LLVMSub
                            && is_distance(user)
                    }),
                    LLVMOpcode::LLVMGetElementPtr | LLVMOpcode::LLVMBitCast => self.address(user),
                    _ => false,
                }
            })
        }
    }

    unsafe fn instruction(&mut self, user: LLVMValueRef, value: LLVMValueRef) -> bool {
        // SAFETY: a live instruction that has `value` as an operand.
        unsafe {
            match LLVMGetInstructionOpcode(user) {
                LLVMOpcode::LLVMIndirectBr | LLVMOpcode::LLVMICmp => true,
                LLVMOpcode::LLVMPHI
                | LLVMOpcode::LLVMSelect
                | LLVMOpcode::LLVMFreeze
                | LLVMOpcode::LLVMGetElementPtr
                | LLVMOpcode::LLVMBitCast => self.address(user),
                LLVMOpcode::LLVMStore => {
                    let to = LLVMGetOperand(user, 1);
                    LLVMGetOperand(user, 0) == value && to != value && self.slot_of(to)
                }
                _ => false,
            }
        }
    }

    /// A constant table of addresses, which only this module can read.
    unsafe fn table(&mut self, variable: LLVMValueRef) -> bool {
        // SAFETY: a variable of a live module.
        unsafe {
            let private = matches!(
                LLVMGetLinkage(variable),
                LLVMLinkage::LLVMInternalLinkage | LLVMLinkage::LLVMPrivateLinkage
            );
            private && LLVMIsGlobalConstant(variable) != 0 && self.memory(variable)
        }
    }

    /// Memory that holds addresses, or a place in it: it is only read and written here.
    unsafe fn memory(&mut self, place: LLVMValueRef) -> bool {
        if !self.seen.insert(place) {
            return true;
        }
        // SAFETY: a live value and its users.
        unsafe {
            users(place).into_iter().all(|user| {
                if LLVMIsAInstruction(user).is_null() {
                    return !LLVMIsAConstantExpr(user).is_null()
                        && matches!(
                            LLVMGetConstOpcode(user),
                            LLVMOpcode::LLVMGetElementPtr | LLVMOpcode::LLVMBitCast
                        )
                        && self.memory(user);
                }
                match LLVMGetInstructionOpcode(user) {
                    LLVMOpcode::LLVMLoad => self.address(user),
                    // Into it; as a value that is stored it would escape.
                    LLVMOpcode::LLVMStore => LLVMGetOperand(user, 0) != place,
                    LLVMOpcode::LLVMGetElementPtr | LLVMOpcode::LLVMBitCast => self.memory(user),
                    LLVMOpcode::LLVMCall => {
                        let called = name(LLVMGetCalledValue(user));
                        called.starts_with(b"llvm.lifetime.")
                            || called.starts_with(b"llvm.memcpy.")
                                && (LLVMGetOperand(user, 0) == place || self.slot_of(LLVMGetOperand(user, 0)))
                    }
                    _ => false,
                }
            })
        }
    }

    /// A place on the function's own stack that is only read and written here.
    unsafe fn slot_of(&mut self, mut place: LLVMValueRef) -> bool {
        // SAFETY: a live pointer; the base of an address comes before it.
        unsafe {
            while !LLVMIsAGetElementPtrInst(place).is_null() {
                place = LLVMGetOperand(place, 0);
            }
            !LLVMIsAAllocaInst(place).is_null() && self.memory(place)
        }
    }
}

/// Whether a subtraction is between two labels of one function.
unsafe fn is_distance(difference: LLVMValueRef) -> bool {
    // SAFETY: a live constant expression of two operands.
    unsafe {
        let label = |index| {
            let number = LLVMGetOperand(difference, index);
            if LLVMIsAConstantExpr(number).is_null() || LLVMGetConstOpcode(number) != LLVMOpcode::LLVMPtrToInt
            {
                return None;
            }
            let address = LLVMIsABlockAddress(LLVMGetOperand(number, 0));
            (!address.is_null()).then(|| LLVMGetBlockAddressFunction(address))
        };
        let (one, other) = (label(0), label(1));
        one.is_some() && one == other
    }
}
