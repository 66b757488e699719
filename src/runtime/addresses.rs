//! Addresses by name, for hosts that have no Rust type for what they ask for.
//!
//! Owns the checks that a typed handle makes by its type: that a function is one, and of the
//! LLVM type that is asked for. Handles are in [`super::function`].

use std::ffi::c_void;

use super::Runtime;
use super::state::State;
use crate::compile::callable_as;
use crate::error::{Error, ErrorKind, Result};
use crate::process;
use crate::table::{Owner, SignatureId, SymbolId, Target};

impl Runtime {
    /// The address of the function `name`: its stub, which stays the same over every replacement.
    /// `ir_type` is its type, as LLVM prints it (`i64 (ptr, i32)`): if it is given, and the function
    /// came as IR or bitcode, they are compared.
    ///
    /// Unlike a [`Function`](super::Function), an address keeps nothing: neither the runtime alive,
    /// nor a later update from giving the function another type.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] for an unknown name, [`ErrorKind::Signature`] for another type, and for
    /// a variable.
    pub fn function_address(&self, name: &str, ir_type: Option<&str>) -> Result<*const c_void> {
        let _loading = process::loading();
        let mut state = self.inner.state.lock();
        let (id, target, owner) = self.lookup(&mut state, name)?;
        check(&state, name, (id, target, owner), ir_type)?;
        state.symbols.get_mut(id).pinned = true;
        Ok(state.symbols.slots.stub(id.0) as *const c_void)
    }

    /// The address of the variable `name`: its storage.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] for an unknown name and a thread-local variable,
    /// [`ErrorKind::Signature`] for a function.
    pub fn data_address(&self, name: &str) -> Result<*const c_void> {
        {
            let _loading = process::loading();
            let mut state = self.inner.state.lock();
            check_data(name, self.lookup(&mut state, name)?.1)?;
        }
        self.address_of(name)
    }
}

/// Refuses a function where a variable was asked for.
pub(super) fn check_data(name: &str, target: Target) -> Result<()> {
    if matches!(target, Target::Function(_) | Target::Process(_)) {
        return Err(Error::new(ErrorKind::Signature, format!("{name} is not a variable"))
            .about(name)
            .hint("ask for it as a function"));
    }
    Ok(())
}

/// Refuses what is no function, or one that cannot be called as `wanted`.
pub(super) fn check(
    state: &State,
    name: &str,
    (id, target, owner): (SymbolId, Target, Owner),
    wanted: Option<&str>,
) -> Result<()> {
    if !matches!(target, Target::Function(_) | Target::Process(_)) {
        return Err(Error::new(ErrorKind::Signature, format!("{name} is not a function"))
            .about(name)
            .hint("use address_of for variables"));
    }
    let signature = state.symbols.get(id).winner().map_or(SignatureId::UNKNOWN, |p| p.signature);
    if let Owner::Module(module) = owner
        && let Some(module) = state.module(module)
        && let Some(actual) = state.signatures.text(signature)
        && let Some(wanted) = wanted
        && !callable_as(actual, wanted)
    {
        return Err(Error::new(
            ErrorKind::Signature,
            format!("{name} has type {actual}, not {wanted} as asked for"),
        )
        .about(name)
        .in_module(&module.name)
        .in_file(module.current.source.file())
        .hint("ask for the function with the type it was compiled with"));
    }
    Ok(())
}
