//! The functions that run when a module is loaded, one for each variable.
//!
//! A C++ compiler gathers the initialisers of a file's variables in one function, which the
//! optimiser then melts into one. Owns taking them apart before that, so that a replacement
//! can run those of new variables only, and finding out which variables each is for.
//! Deliberately leaves what the source itself calls a constructor, and thread-locals, which [`super::thread_guards`] looks after.
#![allow(unsafe_code)]

use std::collections::{BTreeSet, HashMap, HashSet};

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMLinkage, LLVMOpcode, LLVMTypeKind};

use super::llvm::{instructions, is_defined, is_exported, name, operands, symbol_name, users, values};

/// Clang's name of an initialiser, before its number.
pub(super) const INITIALISER: &[u8] = b"__cxx_global_var_init";
/// How GCC and clang call functions that gather them.
const GATHERED: [&[u8]; 2] = [b"_GLOBAL__sub_I_", b"_GLOBAL__I_"];

/// The variables that each function initialises, by the function's symbol.
pub(super) type Initialised = HashMap<String, Vec<String>>;

/// An entry of `llvm.global_ctors`.
struct Entry {
    priority: LLVMValueRef,
    function: LLVMValueRef,
    /// What the entry goes with, or null.
    with: LLVMValueRef,
}

/// Before optimisation: gives each initialiser an entry of its own, and says what it
/// initialises.
pub(super) unsafe fn split(module: LLVMModuleRef) -> Initialised {
    let mut found = Initialised::new();
    // SAFETY: a live, verified module.
    unsafe {
        let Some((list, entries)) = read(module) else {
            return found;
        };
        let mut all = Vec::new();
        let mut gathering = Vec::new();
        for entry in entries {
            match parts(entry.function) {
                Some(parts) => {
                    gathering.push(entry.function);
                    all.extend(parts.into_iter().map(|function| Entry { function, ..entry }));
                }
                None => all.push(entry),
            }
        }
        for entry in &all {
            found.insert(symbol_name(entry.function), variables(entry));
        }
        if !gathering.is_empty() {
            replace(module, list, &all);
            for function in gathering {
                // Only the list that is gone refers to it, from a constant that stays behind.
                if users(function).iter().all(|&user| users(user).is_empty()) {
                    LLVMReplaceAllUsesWith(function, LLVMConstNull(LLVMTypeOf(function)));
                    LLVMDeleteFunction(function);
                }
            }
        }
    }
    found
}

/// After optimisation: the functions that are left, in the order they run in.
pub(super) unsafe fn in_order(module: LLVMModuleRef, found: &Initialised) -> Vec<(String, Vec<String>)> {
    // SAFETY: a live, verified module.
    unsafe {
        let Some((_, mut entries)) = read(module) else {
            return Vec::new();
        };
        entries.sort_by_key(|entry| LLVMConstIntGetZExtValue(entry.priority));
        let left: HashSet<String> = values(LLVMGetFirstGlobal(module), LLVMGetNextGlobal)
            .into_iter()
            .filter(|&variable| is_defined(variable))
            .map(|variable| symbol_name(variable))
            .collect();
        let of = |entry: &Entry| {
            let name = symbol_name(entry.function);
            let mut variables = found.get(&name).cloned().unwrap_or_default();
            variables.retain(|variable| left.contains(variable));
            (name, variables)
        };
        entries.iter().map(of).collect()
    }
}

/// The symbols of the functions that are run when the module is loaded.
pub(super) unsafe fn functions(module: LLVMModuleRef) -> HashSet<LLVMValueRef> {
    // SAFETY: a live, verified module.
    let entries = unsafe { read(module) };
    entries.into_iter().flat_map(|(_, entries)| entries).map(|entry| entry.function).collect()
}

/// The list and its entries; `None` if there is none or one is not as expected.
unsafe fn read(module: LLVMModuleRef) -> Option<(LLVMValueRef, Vec<Entry>)> {
    // SAFETY: a live, verified module; elements are asked for by index, and looked at only
    // where there are any.
    unsafe {
        let list = LLVMGetNamedGlobal(module, c"llvm.global_ctors".as_ptr());
        if list.is_null() || LLVMIsDeclaration(list) != 0 {
            return None;
        }
        let kind = LLVMGlobalGetValueType(list);
        if LLVMGetTypeKind(kind) != LLVMTypeKind::LLVMArrayTypeKind {
            return None;
        }
        let initialiser = LLVMGetInitializer(list);
        let mut entries = Vec::new();
        for index in 0..u32::try_from(LLVMGetArrayLength2(kind)).ok()? {
            let entry = LLVMGetAggregateElement(initialiser, index);
            if entry.is_null() {
                return None;
            }
            let part = |index| LLVMGetAggregateElement(entry, index);
            let (priority, function, with) = (part(0), part(1), part(2));
            if priority.is_null() || function.is_null() || LLVMIsAConstantInt(priority).is_null() {
                return None;
            }
            let function = LLVMIsAFunction(function);
            if function.is_null() {
                return None;
            }
            entries.push(Entry { priority, function, with });
        }
        Some((list, entries))
    }
}

/// The initialisers that a function does nothing but call, in order.
unsafe fn parts(function: LLVMValueRef) -> Option<Vec<LLVMValueRef>> {
    // SAFETY: a function of a live, verified module.
    unsafe {
        if !is_defined(function) || is_exported(function) || LLVMCountBasicBlocks(function) != 1 {
            return None;
        }
        let mut parts = Vec::new();
        for instruction in instructions(function) {
            match LLVMGetInstructionOpcode(instruction) {
                LLVMOpcode::LLVMRet => {}
                LLVMOpcode::LLVMCall => {
                    let called = LLVMIsAFunction(LLVMGetCalledValue(instruction));
                    let is_part = !called.is_null()
                        && name(called).starts_with(INITIALISER)
                        && is_defined(called)
                        && !is_exported(called)
                        && LLVMCountParams(called) == 0
                        && !parts.contains(&called)
                        // Called from elsewhere too, it could be inlined there and be gone.
                        && users(called).len() == 1;
                    if !is_part {
                        return None;
                    }
                    parts.push(called);
                }
                _ => return None,
            }
        }
        (!parts.is_empty()).then_some(parts)
    }
}

/// Puts a list of these entries in the place of `old`, which must not be used afterwards.
unsafe fn replace(module: LLVMModuleRef, old: LLVMValueRef, entries: &[Entry]) {
    // SAFETY: `old` is the list of a live module, whose entries are structs of three; all
    // parts are of the types that those in the old list have.
    unsafe {
        let entry = LLVMGetElementType(LLVMGlobalGetValueType(old));
        let mut all: Vec<_> = entries
            .iter()
            .map(|part| {
                let mut parts = [part.priority, part.function, part.with];
                let context = LLVMGetModuleContext(module);
                LLVMConstStructInContext(context, parts.as_mut_ptr(), 3, LLVMIsPackedStruct(entry))
            })
            .collect();
        let array = LLVMConstArray2(entry, all.as_mut_ptr(), all.len() as u64);
        let new = LLVMAddGlobal(module, LLVMTypeOf(array), c"".as_ptr());
        LLVMSetInitializer(new, array);
        LLVMSetLinkage(new, LLVMLinkage::LLVMAppendingLinkage);
        LLVMDeleteGlobal(old);
        let list = "llvm.global_ctors";
        LLVMSetValueName2(new, list.as_ptr().cast(), list.len());
    }
}

/// The variables of the module that a function which makes variables is for.
pub(super) unsafe fn initialised_by(function: LLVMValueRef) -> Vec<String> {
    // SAFETY: null is no value, and looked at nowhere.
    unsafe { variables(&Entry { priority: std::ptr::null_mut(), function, with: std::ptr::null_mut() }) }
}

/// The variables of the module that an entry's function initialises: what it stores to,
/// constructs, guards or registers a destructor for.
unsafe fn variables(entry: &Entry) -> Vec<String> {
    // SAFETY: an entry of a live, verified module.
    unsafe {
        let mut found = BTreeSet::new();
        if !entry.with.is_null() {
            add(entry.with, &mut found);
        }
        let own = name(entry.function);
        if !own.starts_with(INITIALISER) && !GATHERED.iter().any(|prefix| own.starts_with(prefix)) {
            return found.into_iter().collect();
        }
        // The first argument of other calls, in case there is nothing better.
        let mut passed = BTreeSet::new();
        for instruction in instructions(entry.function) {
            match LLVMGetInstructionOpcode(instruction) {
                LLVMOpcode::LLVMStore => add(LLVMGetOperand(instruction, 1), &mut found),
                LLVMOpcode::LLVMCall | LLVMOpcode::LLVMInvoke if LLVMGetNumArgOperands(instruction) > 0 => {
                    let called = name(LLVMGetCalledValue(instruction));
                    if called.starts_with(b"__cxa_atexit") || called.starts_with(b"__cxa_thread_atexit") {
                        let object = operands(instruction).get(1).copied();
                        object.into_iter().for_each(|object| add(object, &mut found));
                    } else {
                        let known: [&[u8]; 2] = [b"llvm.mem", b"__cxa_guard_"];
                        let writes =
                            is_constructor(called) || known.iter().any(|k| called.starts_with(k)) || {
                                let key = "sret";
                                let sret = LLVMGetEnumAttributeKindForName(key.as_ptr().cast(), key.len());
                                !LLVMGetCallSiteEnumAttribute(instruction, 1, sret).is_null()
                            };
                        let first = LLVMGetOperand(instruction, 0);
                        add(first, if writes { &mut found } else { &mut passed });
                    }
                }
                _ => {}
            }
        }
        let found = if found.is_empty() { passed } else { found };
        found.into_iter().collect()
    }
}

/// Whether a symbol is that of a C++ constructor: its last name is `C1`, `C2` or `C3`, which
/// nothing follows but the end of the name or arguments of a template.
fn is_constructor(symbol: &[u8]) -> bool {
    let is = |part: &[u8]| matches!(part, [b'C', b'1'..=b'3', b'E' | b'I', ..]);
    symbol.starts_with(b"_ZN") && (3..symbol.len()).any(|at| is(&symbol[at..]))
}

/// Adds the module's variables that `pointer` may lead into.
unsafe fn add(pointer: LLVMValueRef, found: &mut BTreeSet<String>) {
    // SAFETY: a pointer in a live, verified module; operands are live too.
    unsafe {
        let (mut open, mut seen) = (vec![pointer], HashSet::new());
        while let Some(value) = open.pop() {
            if !seen.insert(value) {
                continue;
            }
            if !LLVMIsAGlobalVariable(value).is_null() {
                let counts = is_defined(value)
                    && LLVMIsGlobalConstant(value) == 0
                    && !name(value).is_empty()
                    && LLVMGetLinkage(value) != LLVMLinkage::LLVMPrivateLinkage;
                if counts {
                    found.insert(symbol_name(value));
                }
                continue;
            }
            let opcode = if !LLVMIsAInstruction(value).is_null() {
                LLVMGetInstructionOpcode(value)
            } else if !LLVMIsAConstantExpr(value).is_null() {
                LLVMGetConstOpcode(value)
            } else {
                continue;
            };
            match opcode {
                LLVMOpcode::LLVMGetElementPtr | LLVMOpcode::LLVMBitCast | LLVMOpcode::LLVMAddrSpaceCast => {
                    open.push(LLVMGetOperand(value, 0));
                }
                LLVMOpcode::LLVMPHI => {
                    open.extend((0..LLVMCountIncoming(value)).map(|i| LLVMGetIncomingValue(value, i)));
                }
                LLVMOpcode::LLVMSelect => open.extend([LLVMGetOperand(value, 1), LLVMGetOperand(value, 2)]),
                LLVMOpcode::LLVMCall
                    if name(LLVMGetCalledValue(value)).starts_with(b"llvm.threadlocal.address") =>
                {
                    open.push(LLVMGetOperand(value, 0));
                }
                _ => {}
            }
        }
    }
}
