//! Which functions the optimiser may look into from others.
//!
//! Owns the rule, which digests and code generation go by alike. A copy is what makes small
//! functions free, and what makes an edit expensive: all functions that may have a copy are
//! compiled again.

use super::summary::{Function, Linkage};

/// How many instructions an internal function has that may be copied wherever it is called, without
/// being asked for, and asked for by `inline`.
pub(crate) const SMALL: usize = 100;
pub(crate) const ASKED_FOR: usize = 120;
/// The same for one that is called at one place: copying it there costs nothing.
pub(crate) const CALLED_ONCE: usize = 300;

impl Function {
    /// It is called at one place, and nobody has its address.
    pub fn is_called_once(&self) -> bool {
        self.direct_calls == 1 && !self.address_taken
    }
}

/// Whether the optimiser may look into the body of a function from others.
///
/// C++ inline functions and the like always: their body is the same wherever it is. Internal
/// functions when they are small enough that inlining them is likely and recompiling their
/// callers is cheap, when they must be inlined, or when they have one caller only. Never what
/// must not be inlined, or cannot be: addresses of its labels are those of one copy. A choice of
/// ours and not of LLVM's: code generation makes it so, by letting the optimiser see no other
/// bodies.
pub(crate) fn is_inline_candidate(function: &Function) -> bool {
    let never = function.flags.no_inline || function.flags.opt_none || function.block_address_taken;
    if !function.is_defined || never {
        return false;
    }
    match function.linkage {
        Linkage::LinkOnceOdr | Linkage::WeakOdr | Linkage::AvailableExternally => true,
        Linkage::Internal | Linkage::Private => {
            let count = function.instructions as usize;
            function.flags.always_inline
                || count <= SMALL
                || function.flags.inline_hint && count <= ASKED_FOR
                || function.is_called_once() && count <= CALLED_ONCE
        }
        _ => false,
    }
}

/// Whether it could be an inline candidate if one knew its size.
pub(super) fn may_be_seen(function: &Function) -> bool {
    !matches!(function.linkage, Linkage::External | Linkage::LinkOnce | Linkage::Weak)
}
