//! The compile stage: IR becomes a relocatable object.
//!
//! [`source`] is what a host hands in, [`archive`] takes archives apart, [`ir`] prepares a
//! module so that its calls can be redirected ([`aliases`], [`redefine`], [`initialisers`]), [`machine`] is
//! what code is made for, [`emit`] drives LLVM, [`isolate`] does the same in a [`child`]
//! process for input that may be damaged, or in a [`lasting`] one, and [`wire`] is how the child
//! answers a [`request`].
//!
//! What is known of a module's types is its [`interface`]: [`types`], [`storage`] and
//! [`labels`] find it in IR, [`debug_info`] in objects, [`signature`] and [`layout`] compare.
//! Only this module uses LLVM; it knows nothing of tables, addresses or running code.

mod aliases;
mod archive;
mod assembly;
mod bitcode;
mod child;
mod debug_info;
mod debug_sections;
mod debug_types;
mod diff;
mod emit;
mod entries;
mod extent;
mod initialisers;
mod inlining;
mod interface;
mod ir;
mod isolate;
mod labels;
mod lasting;
mod layout;
mod lazy;
mod llvm;
mod locals;
mod machine;
mod part;
mod redefine;
mod request;
mod signature;
mod source;
mod storage;
mod tables;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_isolate;
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

pub(crate) use bitcode::Reads;
pub(crate) use debug_info::interface_of_object;
pub(crate) use diff::{Known, Patch, Staying, Way, again, plan, upgrade};
use emit::Goal;
pub(crate) use interface::{Interface, Types};
pub(crate) use lasting::one_child;
pub(crate) use layout::VariableType;
pub(crate) use lazy::{Later, all_at_once, begin, first_call};
pub use machine::llvm_version;
pub(crate) use signature::callable_as;
pub(crate) use signature::compatible;
pub use source::Source;
pub(crate) use source::SourceKind;
pub(crate) use tables::moved as moved_tables;

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
    /// Functions that are entered once and stay: what they call is not copied into them.
    pub entered_once: Vec<String>,
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
    /// It depends on nothing but the source and the settings, so that it may be kept.
    pub lasting: bool,
    pub times: CompileTimes,
}

/// How good code is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// It is there soonest.
    Fast,
    /// As good as the runtime's level says.
    Optimised,
}

impl CompileOptions {
    /// The level of code that is there to stay.
    pub(crate) fn full_level(&self) -> Level {
        if self.level == OptLevel::O0 { Level::Fast } else { Level::Optimised }
    }
}

/// Compiles a source of IR or bitcode of which nothing is known.
#[cfg(test)]
pub(crate) fn compile(source: &Source, options: &CompileOptions) -> Result<Compiled> {
    compile_whole(source, options, None)
}

/// Compiles a source of IR or bitcode. May be called from several threads at once.
/// `known` is what there is to know of it, if it is understood.
pub(crate) fn compile_whole(
    source: &Source,
    options: &CompileOptions,
    known: Option<&Known>,
) -> Result<Compiled> {
    let roles = known.map(Known::roles);
    run(source, options, Goal::Object(roles.as_ref()))
}

/// The same at a level.
pub(crate) fn compile_at(
    source: &Source,
    options: &CompileOptions,
    level: Level,
    known: &Known,
) -> Result<Compiled> {
    let level = if level == Level::Fast { OptLevel::O0 } else { options.level };
    compile_whole(source, &CompileOptions { level, ..options.clone() }, Some(known))
}

/// Compiles a part of a module, of which `slice` is the bitcode.
pub(crate) fn compile_patch(
    slice: &Source,
    options: &CompileOptions,
    level: Level,
    patch: &Patch,
) -> Result<Compiled> {
    let level = if level == Level::Fast { OptLevel::O0 } else { options.level };
    run(slice, &CompileOptions { level, ..options.clone() }, Goal::Part(patch.roles()))
}

/// Bitcode in the form that can be compared.
pub(crate) fn to_bitcode(source: &Source, options: &CompileOptions) -> Result<Compiled> {
    run(source, options, Goal::Bitcode)
}

fn run(source: &Source, options: &CompileOptions, goal: Goal<'_>) -> Result<Compiled> {
    match source.kind() {
        SourceKind::Ir | SourceKind::Bitcode if source.is_trusted() => {
            isolate::in_process(source, options, goal)
        }
        SourceKind::Ir | SourceKind::Bitcode => match goal {
            Goal::Part(roles) if lasting::is_wanted() => lasting::compile(source, options, roles),
            _ => isolate::in_child(source, options, goal),
        },
        SourceKind::Object | SourceKind::Archive => {
            Err(Error::new(ErrorKind::Compile, "only IR and bitcode are compiled"))
        }
    }
}

/// All that code depends on besides its source: the settings, the machine, LLVM, and this
/// version of the compile stage.
pub(crate) fn settings(options: &CompileOptions) -> Vec<String> {
    let CompileOptions { level, call_form, cpu: _, entered_once } = options;
    let mut all = vec![
        env!("HOTSLOT_COMPILE_STAGE").to_owned(),
        format!("{:?}", llvm_version()),
        format!("{level:?} {call_form:?} {entered_once:?}"),
    ];
    all.extend(machine::described(options));
    all
}

/// The result of [`compile_whole`] as bytes, if it is for more than this once.
pub(crate) fn to_bytes(compiled: &Compiled) -> Option<Vec<u8>> {
    compiled.lasting.then(|| wire::encode(Ok(compiled)))
}

/// What [`to_bytes`] made; nothing where it cannot have been that.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Compiled> {
    wire::decode(bytes)?.ok()
}
