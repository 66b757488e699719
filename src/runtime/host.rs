//! What hosts provide to modules: functions and variables of their own, and libraries.
//!
//! Owns these ways in. Which of several definitions of a name is used is the table's to say, and
//! which types agree [`super::signature_gate`]'s.

use std::ffi::c_void;
use std::path::{Path, PathBuf};

use super::Runtime;
use super::function::Signature;
use crate::error::Result;
use crate::process::{self, Library};
use crate::table::{Owner, Rank, Target};

impl Runtime {
    /// Defines a function of the host under `name`, for modules to call, with its type: modules that
    /// come as IR or bitcode and take it for another one are refused.
    ///
    /// Defining it again redirects every caller. A module that defines the name later takes its place,
    /// and a definition after that the module's: the newest is used. When the module is removed, the
    /// host's is used again.
    ///
    /// # Errors
    /// [`ErrorKind::Update`](crate::ErrorKind::Update) for an impossible name, [`ErrorKind::Signature`](crate::ErrorKind::Signature) where modules were compiled
    /// against another type.
    ///
    /// # Safety
    /// `function` is callable for as long as the runtime or until it is defined again, also by unwinding
    /// or guarded calls as far as modules bring that about, and by any thread that they start.
    #[allow(unsafe_code)]
    pub unsafe fn define<F: Signature>(&self, name: &str, function: F) -> Result<()> {
        let target = Target::Function(function.address() as u64);
        let mut state = self.inner.state.lock();
        let signature = state.host_type(name, &F::ir_type())?;
        state.define_as(name, Owner::Host, Rank::Strong, target, signature)
    }

    /// Defines a function of the host under `name`, for modules to call. Its type is not checked;
    /// otherwise as [`Self::define`].
    ///
    /// # Errors
    /// [`ErrorKind::Update`](crate::ErrorKind::Update) for an impossible name.
    ///
    /// # Safety
    /// `function` is a function of the type that modules declare it with, callable for as
    /// long as the runtime or until it is defined again.
    #[allow(unsafe_code)]
    pub unsafe fn define_function(&self, name: &str, function: *const c_void) -> Result<()> {
        let target = Target::Function(function as u64);
        self.inner.state.lock().define(name, Owner::Host, Rank::Strong, target)
    }

    /// Defines a variable of the host under `name`, for modules to use.
    ///
    /// # Errors
    /// [`ErrorKind::Update`](crate::ErrorKind::Update) for an impossible name.
    ///
    /// # Safety
    /// `data` points to what modules declare, valid for their accesses for as long as the
    /// runtime.
    #[allow(unsafe_code)]
    pub unsafe fn define_data(&self, name: &str, data: *mut c_void) -> Result<()> {
        let target = Target::Data(data as u64);
        self.inner.state.lock().define(name, Owner::Host, Rank::Strong, target)
    }

    /// Opens a shared library, whose symbols modules can then use: modules loaded later,
    /// and those loaded before that refer to something nothing has defined so far. What is
    /// defined already stays as it is. Thread-local variables are found by modules loaded
    /// later only.
    ///
    /// The library's constructors run on this thread before this returns, and may use the
    /// runtime. It stays open for as long as the runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Read`](crate::ErrorKind::Read) where the dynamic linker refuses it.
    pub fn open_library(&self, path: impl AsRef<Path>) -> Result<()> {
        self.inner.arena.check_ours()?;
        let library = Library::open(path.as_ref())?;
        let _loading = process::loading();
        self.inner.state.lock().add_libraries(vec![library]);
        Ok(())
    }

    /// Finds and opens a library as a linker does for `-l name`: `libname.so` or
    /// `libname.a` in `directories`, then in the system's, and what a linker script of that
    /// name leads to. A shared library is opened as by [`Self::open_library`]; of a static
    /// one those members are loaded as modules that something loaded so far needs.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`](crate::ErrorKind::Resolve) where there is none, [`ErrorKind::Read`](crate::ErrorKind::Read) where what there is
    /// cannot be opened, and those of loading it.
    pub fn find_library(&self, name: &str, directories: &[PathBuf]) -> Result<()> {
        self.update().library(name, directories)?.commit().map(|_| ())
    }
}
