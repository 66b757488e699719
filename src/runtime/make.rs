//! What has to be compiled for a module: all of it, the functions that changed, or nothing.
//!
//! Owns the way from a source to an object that can be linked, with what is known of its types.
//! Which functions changed, and how code is made, is the compile stage's; when it is found
//! instead of made, the cache's.

use std::sync::Arc;

use super::Inner;
use super::forks::passing;
use super::report::Times;
use super::state::Base;
use super::stored::{self, Task};
use super::units::{Incoming, Ready};
use super::verify;
use crate::compile::{
    self, CompileOptions, CompileTimes, Interface, Known, Level, OptLevel, Patch, Reads, Source, SourceKind,
};
use crate::error::Result;

/// How the object of a module was made.
#[derive(Clone, Default)]
pub(super) struct Made {
    /// What it was made from.
    pub known: Option<Known>,
    /// It has some of the module's functions, and goes with the rest of a generation, which is
    /// named by its serial number; without one it is the first of its module.
    pub patch: Option<(Arc<Patch>, Option<u64>)>,
    /// The level that it was made at.
    pub level: Option<Level>,
    /// The source as bitcode, where that had to be made.
    pub bitcode: Option<Source>,
    /// It was in the cache.
    pub cached: bool,
}

/// What a module becomes.
#[derive(Default)]
pub(super) struct Code {
    /// Empty if nothing had to be compiled.
    pub object: Arc<[u8]>,
    pub interface: Arc<Interface>,
    pub made: Made,
    pub times: Times,
}

/// Makes what has to be linked for `module`. With `patch` that may be less than the whole.
pub(super) fn module(inner: &Inner, module: &Incoming, patch: bool) -> Result<Code> {
    let source = &module.source;
    if !matches!(source.kind(), SourceKind::Ir | SourceKind::Bitcode) {
        return whole(inner, source, None);
    }
    if module.anonymous.is_some() {
        return once(inner, source);
    }
    let bitcode = to_bitcode(inner, source)?;
    let base = if patch && module.replace { inner.state.lock().base(&module.name) } else { None };
    let level = inner.first_level();
    let read = |mut code: Code| {
        code.made.bitcode = (source.kind() == SourceKind::Ir).then(|| bitcode.clone());
        code
    };
    let before = base.as_ref().map(|base| &base.known);
    let reads = Reads { lines: inner.lines, entered_once: &inner.compile.entered_once };
    let known = Known::of(&bitcode, before, inner.compile.full_level(), reads);
    if inner.lazy
        && !module.replace
        && let Some(begin) = known.as_ref().and_then(|known| compile::begin(known, level))
        && let Some(code) = part(inner, &module.name, &bitcode, begin, level, None)?
        && has_its_labels(&code)
    {
        return Ok(read(code));
    }
    if let (Some(base), Some(known)) = (base, &known)
        && let Some(patch) = compile::plan(&base.known, known, &base.provides(), level)
        && let Some(code) = part(inner, &module.name, &bitcode, patch, level, Some(base.serial))?
        && has_its_labels(&code)
    {
        return Ok(read(code));
    }
    let mut code = whole(inner, &bitcode, known.as_ref())?;
    code.made.known = known;
    Ok(code)
}

/// Compiles those functions of `module`, which is live, that have no optimised code; `None` if
/// there are none.
pub(super) fn upgrade(inner: &Inner, module: Incoming, base: &Base) -> Result<Option<Ready>> {
    if !base.known.has_fast() {
        return Ok(None);
    }
    let patch = compile::upgrade(&base.known, &base.provides());
    more(inner, module, base, patch, Level::Optimised)
}

/// What to compile for the first call of a function of a live module, or for everything that waits
/// for one; `None` where it does not wait.
pub(super) fn first_call_plan(
    inner: &Inner,
    base: &Base,
    function: Option<&str>,
    counts: bool,
) -> Option<Patch> {
    let level = inner.first_level();
    match function {
        Some(function) => compile::first_call(&base.known, function, &base.provides(), level, counts),
        None => Some(compile::all_at_once(&base.known, &base.provides(), level)),
    }
}

/// Compiles that; `None` where it cannot be had.
pub(super) fn first_call(
    inner: &Inner,
    module: Incoming,
    base: &Base,
    patch: Patch,
) -> Result<Option<Ready>> {
    more(inner, module, base, patch, inner.first_level())
}

/// Compiles `patch` for a module that stays the same.
fn more(inner: &Inner, module: Incoming, base: &Base, patch: Patch, level: Level) -> Result<Option<Ready>> {
    let bitcode = match &base.bitcode {
        Some(bitcode) => bitcode.clone(),
        None => to_bitcode(inner, &module.source)?,
    };
    let code = part(inner, &module.name, &bitcode, patch, level, Some(base.serial))?;
    Ok(code.map(|Code { object, interface, mut made, .. }| {
        made.bitcode = base.bitcode.clone();
        Ready { module, object, interface, on_demand: false, made }
    }))
}

/// What `source` is compiled to, as a source.
pub(super) fn to_object(inner: &Inner, source: &Source) -> Result<Source> {
    let Code { object, interface, .. } = whole(inner, source, None).map_err(|e| e.in_file(source.file()))?;
    Ok(source.compiled_to(object, interface))
}

/// Textual IR has to be read by LLVM before it can be compared.
fn to_bitcode(inner: &Inner, source: &Source) -> Result<Source> {
    if source.kind() == SourceKind::Bitcode {
        return Ok(source.clone());
    }
    let read = || passing(|| compile::to_bitcode(source, &inner.compile));
    let (compiled, _) = stored::get(inner.cache.as_ref(), &Task::bitcode(source, &inner.compile), &read)?;
    Ok(source.with_bitcode(compiled.object))
}

/// Compiles a patch for the generation that is called `serial`; `None` where the module has to be
/// compiled whole.
fn part(
    inner: &Inner,
    module: &str,
    bitcode: &Source,
    patch: Patch,
    level: Level,
    serial: Option<u64>,
) -> Result<Option<Code>> {
    let mut code = Code::default();
    crate::fault::step("compile")?;
    if let Some(serial) = serial.filter(|_| inner.verify_diff) {
        verify::check(inner, module, bitcode, &patch, serial)?;
    }
    if !patch.is_empty() {
        let Some(slice) = patch.slice(bitcode) else { return Ok(None) };
        let make = || passing(|| compile::compile_patch(&slice, &inner.compile, level, &patch));
        // Names of variables and files are in no digest, and a debugger shows them.
        let cache = inner.cache.as_ref().filter(|_| !inner.lines);
        code = take(stored::get(cache, &Task::patch(bitcode, &inner.compile, level, &patch), &make)?);
    }
    code.made.known = Some(patch.known.clone());
    code.made.patch = Some((Arc::new(patch), serial));
    code.made.level = Some(level);
    Ok(Some(code))
}

/// Whether no address of a label can get from the code of one layer to that of another. An
/// interpreter that keeps such addresses in its program would jump by them into other code of the
/// same function, that has another frame: all of its module has to be compiled as it was.
fn has_its_labels(code: &Code) -> bool {
    code.object.is_empty() || code.interface.labels_stay
}

/// The object that `source` is or becomes.
fn whole(inner: &Inner, source: &Source, known: Option<&Known>) -> Result<Code> {
    crate::fault::step("compile")?;
    if source.kind() == SourceKind::Object {
        let known = source.interface().cloned();
        let interface = known.unwrap_or_else(|| Arc::new(compile::interface_of_object(source.bytes())));
        return Ok(Code { object: source.bytes().clone(), interface, ..Code::default() });
    }
    let make = || passing(|| compile::compile_whole(source, &inner.compile, known));
    Ok(take(stored::get(inner.cache.as_ref(), &Task::object(source, &inner.compile), &make)?))
}

/// The object of what is most likely run once: nobody will compare it with another version, or
/// look for it in the cache.
fn once(inner: &Inner, source: &Source) -> Result<Code> {
    crate::fault::step("compile")?;
    let level = if inner.first_level() == Level::Fast { OptLevel::O0 } else { inner.compile.level };
    let options = CompileOptions { level, ..inner.compile.clone() };
    Ok(take((passing(|| compile::compile_whole(source, &options, None))?, false)))
}

/// What was compiled, or found.
fn take((compiled, cached): (compile::Compiled, bool)) -> Code {
    // What it took then is not what it took now.
    let CompileTimes { parse, optimise, codegen } =
        if cached { CompileTimes::default() } else { compiled.times };
    Code {
        object: compiled.object.into(),
        interface: Arc::new(compiled.interface),
        made: Made { cached, ..Made::default() },
        times: Times { parse, optimise, codegen, ..Times::default() },
    }
}
