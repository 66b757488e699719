//! The compile stage: IR becomes a relocatable object.
//!
//! [`source`] is what a host hands in, [`archive`] takes archives apart, [`ir`] prepares a
//! module so that its calls can be redirected ([`aliases`], [`redefine`], [`initialisers`]), [`machine`] is
//! what code is made for, [`emit`] drives LLVM, [`isolate`] does the same in a [`child`]
//! process for input that may be damaged, and [`wire`] is how the child answers.
//!
//! What is known of a module's types is its [`interface`]: [`types`], [`storage`] and
//! [`labels`] find it in IR, [`debug_info`] in objects, [`signature`] and [`layout`] compare.
//! Only this module uses LLVM; it knows nothing of tables, addresses or running code.

mod aliases;
mod archive;
mod child;
mod debug_info;
mod debug_sections;
mod debug_types;
mod emit;
mod initialisers;
mod inlining;
mod interface;
mod ir;
mod isolate;
mod labels;
mod layout;
mod llvm;
mod locals;
mod machine;
mod redefine;
mod signature;
mod source;
mod storage;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_locals;
#[cfg(test)]
mod tests_objects;
#[cfg(test)]
mod tests_source;
#[cfg(test)]
mod tests_types;
mod thread_guards;
mod types;
mod wire;

use std::time::Duration;

pub(crate) use debug_info::interface_of_object;
pub(crate) use interface::{Interface, Types};
pub(crate) use layout::VariableType;
pub use machine::llvm_version;
pub(crate) use signature::callable_as;
pub(crate) use signature::compatible;
pub use source::Source;
pub(crate) use source::SourceKind;

use crate::error::{Error, ErrorKind, Result};

/// How much LLVM optimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OptLevel {
    /// Not at all: code is ready soonest.
    O0,
    /// Little.
    O1,
    /// As release builds usually are.
    #[default]
    O2,
    /// As much as LLVM can.
    O3,
}

/// How a call to another module's function is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CallForm {
    /// The call loads its target from the function's slot in the table: as fast as a
    /// direct call. Code that was compiled to call through a PLT goes through the stub.
    #[default]
    Slot,
    /// Every call goes through the function's stub.
    Stub,
}

/// What the compile stage needs to know of a runtime's settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompileOptions {
    pub level: OptLevel,
    pub call_form: CallForm,
    /// The processor's name for LLVM; the host's when `None`.
    pub cpu: Option<String>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CompileTimes {
    pub parse: Duration,
    pub optimise: Duration,
    pub codegen: Duration,
}

pub(crate) struct Compiled {
    pub object: Vec<u8>,
    pub interface: Interface,
    pub times: CompileTimes,
}

/// Compiles a source of IR or bitcode. May be called from several threads at once.
pub(crate) fn compile(source: &Source, options: &CompileOptions) -> Result<Compiled> {
    match source.kind() {
        SourceKind::Ir | SourceKind::Bitcode if source.is_trusted() => isolate::in_process(source, options),
        SourceKind::Ir | SourceKind::Bitcode => isolate::in_child(source, options),
        SourceKind::Object | SourceKind::Archive => {
            Err(Error::new(ErrorKind::Compile, "only IR and bitcode are compiled"))
        }
    }
}
