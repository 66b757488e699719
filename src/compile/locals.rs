//! The functions that only their module knows, as symbols of their own.
//!
//! A function of internal linkage (C `static`) is a part of its module: calls of it are direct,
//! and the optimiser shapes it after its callers and them after it. Nothing of that can be
//! replaced alone. Owns making symbols of such functions before optimisation, with names that
//! only the linker sees ([`crate::scoped`]), and the choice of those that may still be copied
//! to where they are called. Deliberately knows nothing of the functions of others.
#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::ffi::CString;

use inkwell::llvm_sys::LLVMLinkage;
use inkwell::llvm_sys::comdat::LLVMSetComdat;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::module::Module;

use super::bitcode::{ASKED_FOR, CALLED_ONCE, SMALL};
use super::entries::{self, Hidden};
use super::initialisers::INITIALISER;
use super::inlining::{self, has};
use super::llvm::{
    has_default_visibility, instructions, is_defined, is_exported, name, operands, symbol_name, users, values,
};
use super::redefine::{Global, is_copyable, redeclare, redefine};
use crate::scoped;

/// What becomes of one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    /// The optimiser knows its type and attributes and nothing else.
    Apart,
    /// Its body may be copied to where it is called; nothing else is told from it, and it is
    /// not shaped after its callers.
    Copied {
        /// There is one call of it, which gets the body where that is sound.
        once: bool,
        /// Its code is wanted even if no call of it is left.
        kept: bool,
    },
    /// It stays static, and is not shaped after its callers.
    Kept,
    /// It is only declared: its body is in another part of the module.
    #[allow(dead_code, reason = "for parts of modules")]
    Elsewhere,
    /// The same, with the body to be looked into.
    Shown {
        /// As that of [`Local::Copied`].
        once: bool,
    },
}

/// What becomes of a module's static functions, by name. Those that are not named stay as they
/// are.
#[derive(Debug, Default)]
pub(super) struct Locals {
    pub functions: HashMap<String, Local>,
}

impl Locals {
    /// Tells it from the whole module, as its compiler made it.
    pub(super) fn of(module: &Module<'_>) -> Self {
        let raw = module.as_mut_ptr();
        let mut functions = HashMap::new();
        // SAFETY: a live, verified module, which is only read.
        unsafe {
            let listed = listed(raw);
            for function in values(LLVMGetFirstFunction(raw), LLVMGetNextFunction) {
                if is_local(function) && !stays(function, &listed) {
                    functions.insert(symbol_name(function), of_function(function));
                }
            }
        }
        Self { functions }
    }
}

/// Whether a function may be copied to its callers, by what its module's bitcode says.
///
/// A copy is what makes small functions free, and what makes an edit expensive: all functions
/// that may have a copy are compiled again. So those are copied that LLVM would inline in most
/// cases, counted before optimisation (which leaves a half or a third of the instructions):
/// what has to be, small ones, larger ones that ask for it, and what is called at one place
/// only, which LLVM inlines whatever its size. The rest is called through its slot. The digests
/// of [`super::bitcode`] go by the same rule; what is copied here must be a candidate there.
unsafe fn of_function(function: LLVMValueRef) -> Local {
    // SAFETY: a definition in a live, verified module.
    unsafe {
        let once = only_call(function).is_some();
        let count = instructions(function).into_iter().filter(|&i| !is_debug(i)).count();
        let fits = count <= SMALL
            || count <= ASKED_FOR && has(function, "inlinehint")
            || count <= CALLED_ONCE && once;
        // The address of a label is that of one copy.
        let labels = users(function).into_iter().any(|user| !LLVMIsABlockAddress(user).is_null());
        let never = labels || has(function, "noinline") || has(function, "optnone");
        match !never && (fits || has(function, "alwaysinline")) {
            true => Local::Copied { once, kept: false },
            false => Local::Apart,
        }
    }
}

/// The only use of a function, if that is a call.
unsafe fn only_call(function: LLVMValueRef) -> Option<LLVMValueRef> {
    // SAFETY: a function of a live module, and its users.
    unsafe {
        let all = users(function);
        let &[call] = &*all else { return None };
        let calls = !LLVMIsACallInst(call).is_null() || !LLVMIsAInvokeInst(call).is_null();
        let direct = calls
            && LLVMGetCalledValue(call) == function
            && LLVMGetCalledFunctionType(call) == LLVMGlobalGetValueType(function);
        (direct && inlining::function_of(call) != function).then_some(call)
    }
}

/// Has a function copied to its only call.
unsafe fn favour(function: LLVMValueRef, once: bool) {
    // SAFETY: a definition in a live, verified module.
    unsafe {
        if let Some(call) = only_call(function).filter(|_| once) {
            inlining::favour(call, function);
        }
    }
}

unsafe fn is_debug(instruction: LLVMValueRef) -> bool {
    // SAFETY: an instruction of a live module.
    unsafe {
        !LLVMIsACallInst(instruction).is_null()
            && name(LLVMGetCalledValue(instruction)).starts_with(b"llvm.dbg.")
    }
}

unsafe fn is_local(function: LLVMValueRef) -> bool {
    // SAFETY: a function of a live module.
    unsafe { is_defined(function) && !is_exported(function) && LLVMGetIntrinsicID(function) == 0 }
}

/// What runs once, when a module is loaded or a thread starts, and is taken apart or known by
/// its name elsewhere.
const RUN_AT_START: [&[u8]; 6] = [INITIALISER, b"_GLOBAL__", b"__tls_init", b"__tls_guard", b"_ZTW", b"_ZTH"];

/// Whether a function of this name is run or known in special ways; see [`stays`].
pub(super) fn is_special(name: &str) -> bool {
    RUN_AT_START.iter().any(|prefix| name.as_bytes().starts_with(prefix))
}

/// Whether a static function has to stay one. It is part of its module then: calls of it are
/// direct, and what it is called by is compiled with it.
unsafe fn stays(function: LLVMValueRef, listed: &HashSet<LLVMValueRef>) -> bool {
    // SAFETY: a definition in a live, verified module, and its users.
    unsafe {
        let own = name(function);
        let text = std::str::from_utf8(own).unwrap_or_default();
        // It could not be found by a name.
        let nameless = text.is_empty() || text.contains('\0') || text.starts_with(scoped::PREFIX);
        nameless
            || scoped::is_parallel_part(text)
            || RUN_AT_START.iter().any(|prefix| own.starts_with(prefix))
            // Assembly may refer to it by its name.
            || listed.contains(&function)
            || has(function, "naked")
            || !is_copyable(function)
            || users(function).into_iter().any(|user| {
                !LLVMIsAGlobalAlias(user).is_null()
                    || !LLVMIsAGlobalIFunc(user).is_null()
                    || !LLVMIsABlockAddress(user).is_null() && leads_elsewhere(user, function)
            })
    }
}

/// The functions in the lists of what is used by others than the module's code, and of what
/// runs at its beginning and end.
unsafe fn listed(module: LLVMModuleRef) -> HashSet<LLVMValueRef> {
    let mut found = HashSet::new();
    let lists = [c"llvm.used", c"llvm.compiler.used", c"llvm.global_ctors", c"llvm.global_dtors"];
    // SAFETY: a live, verified module; constants and their operands are live too.
    unsafe {
        for list in lists {
            let list = LLVMGetNamedGlobal(module, list.as_ptr());
            if list.is_null() || LLVMIsDeclaration(list) != 0 {
                continue;
            }
            let mut open = vec![LLVMGetInitializer(list)];
            while let Some(constant) = open.pop() {
                if !LLVMIsAFunction(constant).is_null() {
                    found.insert(constant);
                } else if LLVMIsAGlobalValue(constant).is_null() {
                    open.extend(operands(constant));
                }
            }
        }
    }
    found
}

/// Whether code of another function has the address of a label of `function`.
unsafe fn leads_elsewhere(address: LLVMValueRef, function: LLVMValueRef) -> bool {
    let (mut open, mut seen) = (vec![address], HashSet::new());
    while let Some(value) = open.pop() {
        // SAFETY: a live constant and its users; variables are not followed.
        for user in unsafe { users(value) } {
            // SAFETY: as above.
            unsafe {
                if !LLVMIsAInstruction(user).is_null() {
                    if inlining::function_of(user) != function {
                        return true;
                    }
                } else if LLVMIsAGlobalValue(user).is_null() && seen.insert(user) {
                    open.push(user);
                }
            }
        }
    }
    false
}

/// Has LLVM look into a function that every module has in the same form (C++ inline functions),
/// which it does only if the function is said to be here (dso_local). True if that has to be
/// taken back.
unsafe fn open(function: LLVMValueRef) -> bool {
    // SAFETY: a function of a live module.
    unsafe {
        let linkage = LLVMGetLinkage(function);
        let same = matches!(
            linkage,
            LLVMLinkage::LLVMLinkOnceODRLinkage
                | LLVMLinkage::LLVMWeakODRLinkage
                | LLVMLinkage::LLVMAvailableExternallyLinkage
        );
        let opens = same
            && LLVMIsDeclaration(function) == 0
            && has_default_visibility(function)
            && is_copyable(function);
        if opens {
            // The only way that the C interface has to set the mark.
            LLVMSetLinkage(function, LLVMLinkage::LLVMInternalLinkage);
            LLVMSetLinkage(function, linkage);
        }
        opens
    }
}

/// Keeps from the optimiser which of these functions constants name, wherever their bodies are.
pub(super) unsafe fn hide(module: LLVMModuleRef, locals: &Locals) -> Hidden {
    // SAFETY: a live, verified module.
    unsafe {
        let listed = listed(module);
        let mut functions = values(LLVMGetFirstFunction(module), LLVMGetNextFunction);
        functions.retain(|&function| {
            let own = is_local(function) || locals.functions.contains_key(&symbol_name(function));
            own && !listed.contains(&function)
        });
        entries::hide(module, &functions)
    }
}

/// Before optimisation: makes symbols of the functions that `locals` names. `optimised` says
/// that bodies are to be copied. Returns the names of functions that are marked for that.
pub(super) unsafe fn apply(
    module: LLVMModuleRef,
    locals: &Locals,
    optimised: bool,
    hidden: &Hidden,
) -> Vec<CString> {
    let mut opened = Vec::new();
    // SAFETY: a live, verified module; each function is read before it may be replaced.
    unsafe {
        let all = values(LLVMGetFirstFunction(module), LLVMGetNextFunction);
        for function in all {
            let own = symbol_name(function);
            let Some(&local) = locals.functions.get(&own) else {
                if optimised && open(function) {
                    opened.extend(CString::new(name(function)));
                }
                continue;
            };
            let new = match local {
                Local::Kept => continue,
                Local::Elsewhere if is_defined(function) => continue,
                Local::Elsewhere => redeclare(module, function, Global::Function),
                Local::Shown { once } => {
                    favour(function, once && optimised);
                    LLVMSetComdat(function, std::ptr::null_mut());
                    LLVMSetLinkage(function, LLVMLinkage::LLVMAvailableExternallyLinkage);
                    function
                }
                _ if !is_local(function) || !is_copyable(function) => continue,
                Local::Copied { once, kept } => {
                    favour(function, once && optimised);
                    LLVMSetComdat(function, std::ptr::null_mut());
                    // It stays dso_local until `settle`: others would not be looked into.
                    LLVMSetLinkage(
                        function,
                        match kept || hidden.functions.contains(&function) {
                            true => LLVMLinkage::LLVMWeakODRLinkage,
                            false => LLVMLinkage::LLVMLinkOnceODRLinkage,
                        },
                    );
                    function
                }
                Local::Apart => {
                    LLVMSetComdat(function, std::ptr::null_mut());
                    LLVMSetLinkage(function, LLVMLinkage::LLVMExternalLinkage);
                    redefine(module, function)
                }
            };
            let scoped = format!("{}{own}", scoped::PREFIX);
            LLVMSetValueName2(new, scoped.as_ptr().cast(), scoped.len());
        }
    }
    opened
}

/// After optimisation: lets calls of the functions that were not copied go through the table.
pub(super) unsafe fn settle(module: LLVMModuleRef, opened: &[CString]) {
    // SAFETY: as in `apply`; a function that is gone by now is not found.
    unsafe {
        let own = |function: &LLVMValueRef| name(*function).starts_with(scoped::PREFIX.as_bytes());
        let mut all = values(LLVMGetFirstFunction(module), LLVMGetNextFunction);
        all.retain(own);
        all.extend(opened.iter().map(|name| LLVMGetNamedFunction(module, name.as_ptr())));
        for function in all.into_iter().filter(|function| !function.is_null()) {
            if !is_defined(function) {
                let new = redeclare(module, function, Global::Function);
                LLVMSetLinkage(new, LLVMLinkage::LLVMExternalLinkage);
            } else if is_exported(function) {
                redefine(module, function);
            }
        }
    }
}
