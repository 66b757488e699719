//! Compiling a part of a module: a slice of its bitcode, with the roles of what is in it.
//!
//! Owns what a slice cannot say by itself: which of its bodies are only there to be looked into,
//! which declarations are static functions of the same module. Deliberately does not choose
//! them; [`super::extent`] does.
#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};

use inkwell::llvm_sys::LLVMLinkage;
use inkwell::llvm_sys::core::*;
use inkwell::module::Module;

use super::diff::Way;
use super::llvm::{name, symbol_name, values};
use super::locals::{Local, Locals};

/// What becomes of a function of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A static function whose body is elsewhere.
    Elsewhere,
    /// Its body is only to be looked into.
    Shown {
        /// By the only call that there is.
        once: bool,
    },
    Compiled {
        /// Its body may be copied.
        candidate: bool,
        /// By the only call that there is.
        once: bool,
        /// It is wanted even if nothing here needs it.
        kept: bool,
        /// How others know it.
        way: Way,
    },
}

/// The functions of a slice that need one.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    pub(super) functions: HashMap<String, Role, foldhash::fast::RandomState>,
    /// Those that are entered once and stay: nothing is copied into them.
    pub(super) entered_once: HashSet<String, foldhash::fast::RandomState>,
    /// Functions of the module that are compiled later, and whose types are to be known now.
    pub(super) lazy: HashSet<String, foldhash::fast::RandomState>,
}

/// Takes out the declarations that nothing in the slice refers to.
pub(super) fn strip(module: &Module<'_>, roles: &Roles) {
    let raw = module.as_mut_ptr();
    // SAFETY: the module is live and nobody else holds a value of it; what is deleted has no
    // uses.
    unsafe {
        for variable in values(LLVMGetFirstGlobal(raw), LLVMGetNextGlobal) {
            let unused = LLVMGetFirstUse(variable).is_null();
            // The lists of what runs at the beginning are the whole module's.
            if LLVMIsDeclaration(variable) != 0 && (unused || name(variable).starts_with(b"llvm.")) {
                LLVMDeleteGlobal(variable);
            }
        }
        for function in values(LLVMGetFirstFunction(raw), LLVMGetNextFunction) {
            // What is compiled later may refer to any of them.
            let unused = roles.lazy.is_empty() && LLVMGetFirstUse(function).is_null();
            if LLVMIsDeclaration(function) != 0 && unused {
                LLVMDeleteFunction(function);
            }
        }
    }
}

/// Gives the functions of a slice the linkage of their roles; returns what becomes of those
/// that only the module knows.
pub(super) fn locals(module: &Module<'_>, roles: &Roles) -> Locals {
    let raw = module.as_mut_ptr();
    let mut own = Locals::of(module);
    let mut all = HashMap::new();
    // SAFETY: as in `strip`.
    unsafe {
        for function in values(LLVMGetFirstFunction(raw), LLVMGetNextFunction) {
            let name = symbol_name(function);
            let Some(&role) = roles.functions.get(&name) else { continue };
            let linkage = LLVMGetLinkage(function);
            let local = matches!(linkage, LLVMLinkage::LLVMInternalLinkage | LLVMLinkage::LLVMPrivateLinkage);
            match role {
                Role::Elsewhere => {
                    all.insert(name, Local::Elsewhere);
                }
                Role::Shown { once } if local => {
                    all.insert(name, Local::Shown { once });
                }
                Role::Shown { .. } => LLVMSetLinkage(function, LLVMLinkage::LLVMAvailableExternallyLinkage),
                // Those that are to stay static have no slot, and some have to stay that do not look
                // it here: the lists of what is used are not in a slice.
                Role::Compiled { way: Way::Direct, .. } if local => {
                    all.insert(name, Local::Kept);
                }
                Role::Compiled { candidate, once, kept, way } if local => {
                    if way == Way::Slot || own.functions.remove(&name).is_some() {
                        let copied = Local::Copied { once, kept };
                        all.insert(name, if candidate { copied } else { Local::Apart });
                    }
                }
                Role::Compiled { kept: true, .. } if linkage == LLVMLinkage::LLVMLinkOnceODRLinkage => {
                    LLVMSetLinkage(function, LLVMLinkage::LLVMWeakODRLinkage);
                }
                Role::Compiled { kept: true, .. } if linkage == LLVMLinkage::LLVMLinkOnceAnyLinkage => {
                    LLVMSetLinkage(function, LLVMLinkage::LLVMWeakAnyLinkage);
                }
                Role::Compiled { .. } => {}
            }
        }
    }
    Locals { functions: all }
}
