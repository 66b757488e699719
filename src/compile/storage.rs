//! The storage of a module's variables, from its IR.
//!
//! Owns the description of an LLVM type as runs of scalars. How a compiler spells the type
//! does not count: clang makes one up for many an initialiser. Deliberately changes nothing
//! in the module and does not know when two descriptions agree; [`super::layout`] does.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, c_uint};

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::target::{
    LLVMABISizeOfType, LLVMGetModuleDataLayout, LLVMOffsetOfElement, LLVMTargetDataRef,
};
use inkwell::llvm_sys::{LLVMLinkage, LLVMTypeKind};

use super::layout::{Run, Scalar, VariableType, push, stable_hash};
use super::llvm::{is_defined, name, symbol_name, values};
use super::types::type_text;

/// An array of more runs than this is described by one element.
const MOST_RUNS: u64 = 4096;
/// Types nested deeper are not described.
pub(super) const DEEPEST: u32 = 64;

/// Symbol and type of every variable that the module defines.
pub(super) unsafe fn variables(module: LLVMModuleRef) -> Vec<(String, VariableType)> {
    let mut all = Vec::new();
    // SAFETY: a live, verified module.
    unsafe {
        let layout = LLVMGetModuleDataLayout(module);
        let mut known = HashMap::new();
        let mut add = |symbol: LLVMValueRef, variable: LLVMValueRef| {
            let skip = LLVMIsGlobalConstant(variable) != 0
                || !is_defined(variable)
                || LLVMGetLinkage(symbol) == LLVMLinkage::LLVMPrivateLinkage
                || name(symbol).is_empty()
                || name(symbol).starts_with(b"llvm.");
            if !skip {
                let kind = LLVMGlobalGetValueType(variable);
                let found = known.entry(kind).or_insert_with(|| of_variable(layout, kind));
                all.push((symbol_name(symbol), found.clone()));
            }
        };
        for variable in values(LLVMGetFirstGlobal(module), LLVMGetNextGlobal) {
            add(variable, variable);
        }
        for alias in values(LLVMGetFirstGlobalAlias(module), LLVMGetNextGlobalAlias) {
            let variable = LLVMIsAGlobalVariable(LLVMAliasGetAliasee(alias));
            if !variable.is_null() {
                add(alias, variable);
            }
        }
    }
    all
}

unsafe fn of_variable(layout: LLVMTargetDataRef, kind: LLVMTypeRef) -> VariableType {
    // SAFETY: the type of a global variable, so one with a size.
    unsafe {
        VariableType {
            runs: describe(layout, kind),
            size: size_of(layout, kind),
            members: 0,
            text: type_text(layout, kind),
        }
    }
}

pub(super) unsafe fn size_of(layout: LLVMTargetDataRef, kind: LLVMTypeRef) -> u64 {
    // SAFETY: a type of a live context.
    unsafe { if LLVMTypeIsSized(kind) != 0 { LLVMABISizeOfType(layout, kind) } else { 0 } }
}

/// The runs of a type; `None` for one that says nothing.
pub(super) unsafe fn describe(layout: LLVMTargetDataRef, kind: LLVMTypeRef) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    let mut walk = Walk { layout, known: HashMap::new(), left: 16 * MOST_RUNS };
    // SAFETY: a type of a live context.
    unsafe { (LLVMTypeIsSized(kind) != 0 && walk.flatten(kind, 0, 0, &mut runs)).then_some(runs) }
}

struct Walk {
    layout: LLVMTargetDataRef,
    /// The runs of what is in arrays, so that nested ones are walked once.
    known: HashMap<LLVMTypeRef, Vec<Run>>,
    /// How many runs may still be made.
    left: u64,
}

impl Walk {
    /// Appends the runs of a type at `at`. False for what cannot be described.
    unsafe fn flatten(&mut self, kind: LLVMTypeRef, at: u64, depth: u32, runs: &mut Vec<Run>) -> bool {
        if depth > DEEPEST || self.left == 0 {
            return false;
        }
        self.left -= 1;
        // SAFETY: a sized type of a live context.
        unsafe {
            let unit = size_of(self.layout, kind);
            let scalar = match LLVMGetTypeKind(kind) {
                LLVMTypeKind::LLVMIntegerTypeKind => Scalar::Integer,
                LLVMTypeKind::LLVMPointerTypeKind => Scalar::Pointer,
                LLVMTypeKind::LLVMHalfTypeKind
                | LLVMTypeKind::LLVMBFloatTypeKind
                | LLVMTypeKind::LLVMFloatTypeKind
                | LLVMTypeKind::LLVMDoubleTypeKind
                | LLVMTypeKind::LLVMX86_FP80TypeKind
                | LLVMTypeKind::LLVMFP128TypeKind
                | LLVMTypeKind::LLVMPPC_FP128TypeKind => Scalar::Float,
                LLVMTypeKind::LLVMArrayTypeKind => {
                    let (element, count) = peel(kind, 1);
                    return self.repeat(element, count, at, depth, runs);
                }
                LLVMTypeKind::LLVMVectorTypeKind => {
                    let (element, count) = (LLVMGetElementType(kind), u64::from(LLVMGetVectorSize(kind)));
                    return size_of(self.layout, element).saturating_mul(count) <= unit
                        && self.repeat(element, count, at, depth, runs);
                }
                LLVMTypeKind::LLVMStructTypeKind => return self.members(kind, at, depth, runs),
                _ => return false,
            };
            push(runs, Run { kind: scalar, at, unit, count: 1 });
            true
        }
    }

    /// Appends an array.
    unsafe fn repeat(
        &mut self,
        element: LLVMTypeRef,
        count: u64,
        at: u64,
        depth: u32,
        runs: &mut Vec<Run>,
    ) -> bool {
        if count == 0 {
            return true;
        }
        // SAFETY: as in `flatten`.
        unsafe {
            let stride = size_of(self.layout, element);
            if !self.known.contains_key(&element) {
                let mut inner = Vec::new();
                if !self.flatten(element, 0, depth + 1, &mut inner) {
                    return false;
                }
                self.known.insert(element, inner);
            }
            let inner = &self.known[&element];
            match inner.as_slice() {
                [] => {}
                [one] if one.at == 0 && one.unit.saturating_mul(one.count) == stride => {
                    let count = one.count.saturating_mul(count);
                    push(runs, Run { at, count, ..*one });
                }
                many if count.saturating_mul(many.len() as u64) <= MOST_RUNS.min(self.left) => {
                    self.left -= count * many.len() as u64;
                    for index in 0..count {
                        for run in many {
                            push(runs, Run { at: at + index * stride + run.at, ..*run });
                        }
                    }
                }
                many => {
                    let kind = Scalar::Pattern(stable_hash(many));
                    push(runs, Run { kind, at, unit: stride, count });
                }
            }
        }
        true
    }

    /// Appends the members of a struct.
    unsafe fn members(&mut self, kind: LLVMTypeRef, at: u64, depth: u32, runs: &mut Vec<Run>) -> bool {
        // SAFETY: a struct type with a body; members are asked for by index.
        unsafe {
            let size = size_of(self.layout, kind);
            let literal = LLVMIsLiteralStruct(kind) != 0;
            let name = if literal { std::ptr::null() } else { LLVMGetStructName(kind) };
            if !name.is_null() && CStr::from_ptr(name).to_bytes().starts_with(b"union.") {
                push(runs, Run { kind: Scalar::Any, at, unit: 1, count: size });
                return true;
            }
            let count = LLVMCountStructElementTypes(kind);
            let members: Vec<_> = (0..count)
                .map(|index| {
                    let (element, count) = peel(LLVMStructGetTypeAtIndex(kind, index), 1);
                    (element, count, LLVMOffsetOfElement(self.layout, kind, index))
                })
                .collect();
            // A type made up for an initialiser fills gaps and unions with bytes; so does
            // every static of Rust.
            let is_byte = |kind| {
                LLVMGetTypeKind(kind) == LLVMTypeKind::LLVMIntegerTypeKind && LLVMGetIntTypeWidth(kind) == 8
            };
            let filled = literal && members.iter().any(|&(element, ..)| !is_byte(element));
            let mut index = 0;
            while let Some(&(element, mut count, offset)) = members.get(index) {
                let is_array = {
                    let own = LLVMStructGetTypeAtIndex(kind, index as c_uint);
                    LLVMGetTypeKind(own) == LLVMTypeKind::LLVMArrayTypeKind
                };
                index += 1;
                if filled && is_array && is_byte(element) {
                    push(runs, Run { kind: Scalar::Any, at: at + offset, unit: 1, count });
                    continue;
                }
                // Neighbours of one type are an array: `<{ T, T, [98 x T] }>` is `[100 x T]`.
                let stride = size_of(self.layout, element);
                while let Some(&(next, more, place)) = members.get(index) {
                    if next != element || Some(place) != stride.checked_mul(count).map(|n| offset + n) {
                        break;
                    }
                    count = count.saturating_add(more);
                    index += 1;
                }
                if !self.repeat(element, count, at + offset, depth, runs) {
                    return false;
                }
            }
            true
        }
    }
}

/// What an array is of, through all its dimensions, and how many.
unsafe fn peel(mut kind: LLVMTypeRef, mut count: u64) -> (LLVMTypeRef, u64) {
    // SAFETY: a type of a live context.
    unsafe {
        while LLVMGetTypeKind(kind) == LLVMTypeKind::LLVMArrayTypeKind {
            count = count.saturating_mul(LLVMGetArrayLength2(kind));
            kind = LLVMGetElementType(kind);
        }
    }
    (kind, count)
}
