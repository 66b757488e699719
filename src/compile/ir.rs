//! Preparing a module so that everything in it can be replaced.
//!
//! Owns the form of calls (through the table or through stubs), the sections that make
//! every function, variable and constant separable, and the marks that keep the optimiser
//! from looking through functions that may be replaced. Deliberately knows nothing of targets
//! and optimisation levels. Every module it gets has passed LLVM's verifier.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::CString;

use inkwell::llvm_sys::comdat::LLVMGetComdat;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMAttributeFunctionIndex, LLVMLinkage, LLVMModuleFlagBehavior};
use inkwell::module::Module;

use super::entries::{self, Hidden};
use super::initialisers::{self, Initialised};
use super::llvm::{has_default_visibility, is_defined, is_exported, name, symbol, symbol_name, values};
use super::redefine::{Global, redeclare, redefine, redefine_variable};

use super::locals::{self, Local, Locals};
use super::{CallForm, Interface, OptLevel, Types, labels, storage, thread_guards, types};
use crate::scoped;

/// What can only be told before optimisation.
pub(super) struct Before {
    declared: Vec<(String, String)>,
    initialised: Initialised,
    /// Functions that are said to be here until they are optimised.
    opened: Vec<CString>,
    hidden: Hidden,
}

/// Before optimisation: makes definitions replaceable and calls redirectable.
pub(super) fn prepare(module: &Module<'_>, form: CallForm, locals: &Locals, level: OptLevel) -> Before {
    let raw = module.as_mut_ptr();
    // SAFETY: the module is live, verified, and nobody else uses it or holds a value of
    // it; each value is read before it may be replaced.
    unsafe {
        // Code that was compiled for an executable says "local to it" (dso_local) of almost
        // everything, which would let the optimiser and the code generator bypass the table.
        let executable = flag(raw, "PIC Level").is_none() || flag(raw, "PIE Level").is_some();
        set_flag(raw, "SemanticInterposition", 1);
        if flag(raw, "PIC Level").is_none() {
            set_flag(raw, "PIC Level", 2);
        }
        if flag(raw, "PIE Level").is_some() {
            // Thread-locals would be addressed as only a linked executable's can be.
            set_flag(raw, "PIE Level", 0);
        }
        // Calls that code generation makes up (memcpy) load their target as well.
        let by_slot = form == CallForm::Slot;
        if by_slot || flag(raw, "RtLibUseGOT").is_some() {
            set_flag(raw, "RtLibUseGOT", u64::from(by_slot));
        }
        for function in values(LLVMGetFirstFunction(raw), LLVMGetNextFunction) {
            if LLVMGetIntrinsicID(function) != 0 {
                continue;
            }
            if LLVMIsDeclaration(function) != 0 {
                if executable || !has_default_visibility(function) {
                    redeclare(raw, function, Global::Function);
                }
            } else if is_exported(function)
                && (executable && has_default_visibility(function) || !is_odr(function))
            {
                // What is hidden, or said to be the only one, may be replaced too.
                redefine(raw, function);
            }
        }
        for variable in values(LLVMGetFirstGlobal(raw), LLVMGetNextGlobal) {
            if LLVMIsDeclaration(variable) != 0 {
                if executable || !has_default_visibility(variable) {
                    redeclare(raw, variable, Global::Variable);
                }
            } else if executable && is_exported(variable) && has_default_visibility(variable) {
                redefine_variable(raw, variable);
            }
        }
        thread_guards::split(raw);
        // The optimiser makes calls of its own, and one of all initialisers.
        let declared = types::declared(raw);
        let optimised = level != OptLevel::O0;
        let hidden = if optimised { locals::hide(raw, locals) } else { Hidden::default() };
        keep(raw, locals, &hidden);
        let initialised = initialisers::split(raw);
        // Initialisers know constructors by their names.
        let opened = locals::apply(raw, locals, optimised, &hidden);
        set_call_form(raw, form);
        Before { declared, initialised, opened, hidden }
    }
}

/// In the middle of optimisation: functions that may be replaced are not looked into any more.
pub(super) fn part(module: &Module<'_>, before: &Before) {
    // SAFETY: as in `prepare`.
    unsafe { locals::settle(module.as_mut_ptr(), &before.opened) };
}

/// After optimisation, which may have made functions and declarations of its own: gives
/// every definition its section and returns what there is to know of the module's types.
pub(super) fn finish(module: &Module<'_>, form: CallForm, before: Before) -> Interface {
    let raw = module.as_mut_ptr();
    // SAFETY: as in `prepare`.
    unsafe {
        entries::show(raw, &before.hidden);
        locals::settle(raw, &before.opened);
        set_call_form(raw, form);
        let run_at_load = initialisers::functions(raw);
        let defined = |value: &LLVMValueRef| is_defined(*value);
        let all = values(LLVMGetFirstFunction(raw), LLVMGetNextFunction);
        for (number, function) in all.into_iter().filter(defined).enumerate() {
            // Initialisers share a section otherwise, and are told apart by it.
            if run_at_load.contains(&function) && section(function) == STARTUP {
                LLVMSetSection(function, c"".as_ptr());
                separate(function, "text.startup", number);
            }
            separate(function, "text", number);
        }
        let all = values(LLVMGetFirstGlobal(raw), LLVMGetNextGlobal);
        for (number, variable) in all.into_iter().filter(defined).enumerate() {
            let skip = name(variable).starts_with(b"llvm.")
                || LLVMGetLinkage(variable) == LLVMLinkage::LLVMCommonLinkage;
            if !skip {
                separate(variable, family(variable), number);
            }
        }
        let left: HashSet<String> = types::referred_to(raw);
        let mut interface = Interface {
            checked: Types::Ir,
            defined: types::defined(raw),
            declared: before.declared.into_iter().filter(|(name, _)| left.contains(name)).collect(),
            variables: storage::variables(raw),
            initialisers: initialisers::in_order(raw, &before.initialised),
            label_tables: labels::tables(raw),
            labels_stay: labels::stay(raw),
        };
        interface.sort();
        interface
    }
}

/// Keeps the optimiser from changing variables that only the module can see: the next
/// version may use them in other ways, and finds the value there. It would make a flag of a
/// number that it sees two values of, take a struct apart, and drop what nothing reads. So too
/// with functions of a part that the whole module keeps, and with those that nothing names for the
/// time being.
unsafe fn keep(module: LLVMModuleRef, locals: &Locals, hidden: &Hidden) {
    let list = "llvm.compiler.used";
    // SAFETY: a live, verified module, so the list is an array of pointers with an
    // initialiser; all new entries are pointers of the same type.
    unsafe {
        let old = LLVMGetNamedGlobal(module, c"llvm.compiler.used".as_ptr());
        let pointer = LLVMPointerTypeInContext(LLVMGetModuleContext(module), 0);
        let mut used: Vec<_> = values(LLVMGetFirstGlobal(module), LLVMGetNextGlobal)
            .into_iter()
            .filter(|&variable| {
                is_defined(variable)
                    && !is_exported(variable)
                    && LLVMIsGlobalConstant(variable) == 0
                    && LLVMTypeOf(variable) == pointer
                    && !name(variable).starts_with(b"llvm.")
            })
            .collect();
        let functions = values(LLVMGetFirstFunction(module), LLVMGetNextFunction).into_iter();
        used.extend(functions.filter(|&f| match locals.functions.get(&symbol_name(f)) {
            Some(local) => *local == Local::Kept,
            None => hidden.functions.contains(&f),
        }));
        if used.is_empty() {
            return;
        }
        if !old.is_null() {
            if LLVMIsDeclaration(old) != 0 {
                return;
            }
            let count = LLVMGetArrayLength2(LLVMGlobalGetValueType(old)) as u32;
            let entries = (0..count).map(|i| LLVMGetAggregateElement(LLVMGetInitializer(old), i));
            used.extend(entries.filter(|&entry| !entry.is_null() && LLVMTypeOf(entry) == pointer));
            LLVMDeleteGlobal(old);
        }
        let array = LLVMConstArray2(pointer, used.as_mut_ptr(), used.len() as u64);
        let new = LLVMAddGlobal(module, LLVMTypeOf(array), c"".as_ptr());
        LLVMSetInitializer(new, array);
        LLVMSetLinkage(new, LLVMLinkage::LLVMAppendingLinkage);
        LLVMSetSection(new, c"llvm.metadata".as_ptr());
        LLVMSetValueName2(new, list.as_ptr().cast(), list.len());
    }
}

/// Where clang puts what runs at load.
const STARTUP: &[u8] = b".text.startup";

/// Whether its body is the same wherever it is, so that it may be looked into.
unsafe fn is_odr(function: LLVMValueRef) -> bool {
    // SAFETY: a function of a live module.
    let linkage = unsafe { LLVMGetLinkage(function) };
    matches!(linkage, LLVMLinkage::LLVMLinkOnceODRLinkage | LLVMLinkage::LLVMWeakODRLinkage)
}

/// The section that a variable or constant would share with its like.
unsafe fn family(variable: LLVMValueRef) -> &'static str {
    // SAFETY: a definition in a live module.
    unsafe {
        let initialiser = LLVMGetInitializer(variable);
        if LLVMIsThreadLocal(variable) != 0 {
            return if LLVMIsNull(initialiser) != 0 { "tbss" } else { "tdata" };
        }
        match LLVMIsGlobalConstant(variable) != 0 {
            true if has_addresses(initialiser) => "data.rel.ro",
            true => "rodata",
            false if LLVMIsNull(initialiser) != 0 => "bss",
            false => "data",
        }
    }
}

/// Whether a constant has addresses in it, which only linking fills in.
unsafe fn has_addresses(constant: LLVMValueRef) -> bool {
    let (mut open, mut seen) = (vec![constant], HashSet::new());
    while let Some(value) = open.pop() {
        // SAFETY: a live constant; its operands are constants too.
        unsafe {
            if !LLVMIsAGlobalValue(value).is_null() || !LLVMIsABlockAddress(value).is_null() {
                return true;
            }
            // Data of integers and floats has no operands.
            let nested = !LLVMIsAConstantExpr(value).is_null()
                || !LLVMIsAConstantStruct(value).is_null()
                || !LLVMIsAConstantArray(value).is_null()
                || !LLVMIsAConstantVector(value).is_null();
            if nested && seen.insert(value) {
                open.extend((0..LLVMGetNumOperands(value).max(0) as u32).map(|i| LLVMGetOperand(value, i)));
            }
        }
    }
    false
}

/// The section that a global asks for; none as a rule.
unsafe fn section<'v>(value: LLVMValueRef) -> &'v [u8] {
    // SAFETY: a global of a live module; the text lives until the section is changed.
    unsafe {
        let text = LLVMGetSection(value);
        if text.is_null() { &[] } else { std::ffi::CStr::from_ptr(text).to_bytes() }
    }
}

unsafe fn set_call_form(module: LLVMModuleRef, form: CallForm) {
    let key = "nonlazybind";
    // SAFETY: a live module; the key is passed with its length.
    unsafe {
        let kind = LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
        let load_target = LLVMCreateEnumAttribute(LLVMGetModuleContext(module), kind, 0);
        for function in values(LLVMGetFirstFunction(module), LLVMGetNextFunction) {
            if LLVMGetIntrinsicID(function) != 0 {
                continue;
            }
            match form {
                CallForm::Slot => {
                    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, load_target);
                }
                CallForm::Stub => {
                    LLVMRemoveEnumAttributeAtIndex(function, LLVMAttributeFunctionIndex, kind);
                }
            }
        }
    }
}

unsafe fn flag(module: LLVMModuleRef, key: &str) -> Option<LLVMMetadataRef> {
    // SAFETY: a live module; the key is passed with its length.
    let found = unsafe { LLVMGetModuleFlag(module, key.as_ptr().cast(), key.len()) };
    (!found.is_null()).then_some(found)
}

/// Adds a module flag, or changes the one there is. Flags only say how modules are merged,
/// which never happens here, and what code generation does.
unsafe fn set_flag(module: LLVMModuleRef, key: &str, value: u64) {
    let list = c"llvm.module.flags".as_ptr();
    // SAFETY: a live module, whose flags the verifier found to be nodes of three operands:
    // behaviour, key, value. The buffers have room for as many as LLVM says there are.
    unsafe {
        let integer = LLVMInt32TypeInContext(LLVMGetModuleContext(module));
        let value = LLVMValueAsMetadata(LLVMConstInt(integer, value, 0));
        if flag(module, key).is_none() {
            let behaviour = LLVMModuleFlagBehavior::LLVMModuleFlagBehaviorWarning;
            return LLVMAddModuleFlag(module, behaviour, key.as_ptr().cast(), key.len(), value);
        }
        let count = LLVMGetNamedMetadataNumOperands(module, list) as usize;
        let mut nodes = vec![std::ptr::null_mut(); count];
        LLVMGetNamedMetadataOperands(module, list, nodes.as_mut_ptr());
        for node in nodes {
            let mut operands = [std::ptr::null_mut(); 3];
            if LLVMGetMDNodeNumOperands(node) != 3 {
                continue;
            }
            LLVMGetMDNodeOperands(node, operands.as_mut_ptr());
            if operands[1].is_null() {
                continue;
            }
            let mut length = 0;
            let text = LLVMGetMDString(operands[1], &mut length);
            if !text.is_null()
                && std::slice::from_raw_parts(text.cast::<u8>(), length as usize) == key.as_bytes()
            {
                return LLVMReplaceMDNodeOperandWith(node, 2, value);
            }
        }
    }
}

/// Puts a definition into a section of its own, so that references to it from its own
/// module are relocations too, and variables keep their place one by one. What is in a
/// COMDAT gets one from LLVM.
unsafe fn separate(value: LLVMValueRef, family: &str, number: usize) {
    // SAFETY: a definition in a live module; the section's name is copied.
    unsafe {
        if !section(value).is_empty() || !LLVMGetComdat(value).is_null() {
            return;
        }
        let mut own = format!(".{family}.").into_bytes();
        let name = symbol(name(value));
        match name.strip_prefix(scoped::PREFIX.as_bytes()).unwrap_or(name) {
            [] => own.extend_from_slice(format!(".{number}").as_bytes()),
            name => own.extend_from_slice(name),
        }
        if let Ok(own) = CString::new(own) {
            LLVMSetSection(value, own.as_ptr());
        }
    }
}
