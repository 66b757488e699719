//! The settings of a runtime as C gives them.
//!
//! Owns the record and what its numbers mean. What the settings do is the library's
//! [`Builder`].
#![allow(unsafe_code)] // a record that C fills

use std::ffi::{c_char, c_int};

use super::boundary::{Record, Result, list, path, text};
use super::error::HotslotError;
use crate::cache::Cache;
use crate::compile::{CallForm, OptLevel};
use crate::observe::Profiler;
use crate::runtime::{Builder, Runtime};

/// A setting is what it is by default.
pub const HOTSLOT_DEFAULT: c_int = 0;
/// A setting is on.
pub const HOTSLOT_ON: c_int = 1;
/// A setting is off.
pub const HOTSLOT_OFF: c_int = 2;

/// Not optimised: code is ready soonest.
pub const HOTSLOT_OPT_O0: c_int = 1;
/// Optimised a little.
pub const HOTSLOT_OPT_O1: c_int = 2;
/// Optimised as release builds usually are: the default.
pub const HOTSLOT_OPT_O2: c_int = 3;
/// Optimised as much as LLVM can.
pub const HOTSLOT_OPT_O3: c_int = 4;

/// Calls between modules load their target from the slot: the default.
pub const HOTSLOT_CALL_SLOT: c_int = 1;
/// Calls between modules go through stubs.
pub const HOTSLOT_CALL_STUB: c_int = 2;

/// The settings of a runtime. Prepare it with `hotslot_init`; what is left at 0 or NULL is the
/// default. Nothing in it has to stay after the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HotslotOptions {
    /// Bytes of this record, from `hotslot_init`.
    pub size: usize,
    /// How many bytes of address space to reserve for code, data and the table: 1 GiB by default,
    /// at least 4 MiB, less than 2 GiB. Memory is used only as it is filled.
    pub arena_size: usize,
    /// How many bytes of replaced code threads may hold before updates are refused: a quarter of
    /// the arena by default.
    pub retained_limit: usize,
    /// How much LLVM optimises IR and bitcode: `HOTSLOT_OPT_O0` to `HOTSLOT_OPT_O3`.
    pub opt_level: c_int,
    /// `HOTSLOT_ON`, the default: what changes goes live unoptimised first, and is optimised by a
    /// thread of the runtime's afterwards.
    pub tiered: c_int,
    /// `HOTSLOT_ON`: functions of IR and bitcode are compiled on their first call. Off by default.
    pub lazy: c_int,
    /// `HOTSLOT_ON`, the default: guarded calls end with an error where generated code faults.
    pub contain_faults: c_int,
    /// `HOTSLOT_ON`: guarded calls end with an error where generated code would end the process: by
    /// `abort`, a failed `assert`, `exit`, an exception that nothing catches before the guard. Off by
    /// default.
    pub contain_aborts: c_int,
    /// `HOTSLOT_ON`, the default: names that no module defines are looked up in the whole process:
    /// the symbols that the host exports, and every library that it is linked with.
    pub process_symbols: c_int,
    /// `HOTSLOT_ON`: gdb and lldb are told of code. Off by default.
    pub debugger: c_int,
    /// `HOTSLOT_ON`: what is not compiled again is checked to be the same. Off by default.
    pub verify_diff: c_int,
    /// `HOTSLOT_ON`, the default: a module that declares a function with another type than the one it
    /// is defined with is refused, as far as both are known.
    pub check_declarations: c_int,
    /// `HOTSLOT_CALL_SLOT` or `HOTSLOT_CALL_STUB`.
    pub call_form: c_int,
    /// How many past generations of each module are kept to be returned to: 0 is the default, 4;
    /// -1 is none.
    pub history: c_int,
    /// How many threads may compile at once: as many as there are processors by default.
    pub compile_threads: c_int,
    /// `HOTSLOT_ON`: `/tmp/perf-PID.map` is written for perf. Off by default.
    pub perf_map: c_int,
    /// `HOTSLOT_ON`: the user's cache on disk is used, if `cache` does not name another. Off by
    /// default.
    pub user_cache: c_int,
    /// The folder of a cache on disk for compiled code.
    pub cache: *const c_char,
    /// How many bytes the cache may take: 1 GiB by default.
    pub cache_limit: u64,
    /// A folder in which `jit-PID.dump` is written for perf.
    pub jit_dump: *const c_char,
    /// The processor to generate code for, as LLVM names it: the host's own by default.
    pub cpu: *const c_char,
    /// The program's arguments that the C library passes to constructors, its name first.
    pub arguments: *const *const c_char,
    /// How many those are.
    pub arguments_count: usize,
    /// Names of functions of IR and bitcode that are entered once and stay, as `main` does: what
    /// they call is not inlined, so that new versions of it reach them.
    pub entered_once: *const *const c_char,
    /// How many those are.
    pub entered_once_count: usize,
}

// SAFETY: numbers and pointers; `size` is the first field.
unsafe impl Record for HotslotOptions {
    const NAME: &'static str = "hotslot_options";
}

/// The builder that a record stands for.
///
/// # Safety
/// The pointers in it are null or as the record says.
pub unsafe fn builder(options: &HotslotOptions) -> Result<Builder> {
    let mut builder = Runtime::builder();
    if options.arena_size != 0 {
        builder = builder.arena_size(options.arena_size);
    }
    if options.retained_limit != 0 {
        builder = builder.retained_limit(options.retained_limit);
    }
    builder = match options.opt_level {
        HOTSLOT_DEFAULT => builder,
        HOTSLOT_OPT_O0 => builder.opt_level(OptLevel::O0),
        HOTSLOT_OPT_O1 => builder.opt_level(OptLevel::O1),
        HOTSLOT_OPT_O2 => builder.opt_level(OptLevel::O2),
        HOTSLOT_OPT_O3 => builder.opt_level(OptLevel::O3),
        other => return Err(unknown("opt_level", other)),
    };
    builder = match options.call_form {
        HOTSLOT_DEFAULT => builder,
        HOTSLOT_CALL_SLOT => builder.call_form(CallForm::Slot),
        HOTSLOT_CALL_STUB => builder.call_form(CallForm::Stub),
        other => return Err(unknown("call_form", other)),
    };
    type Set = fn(Builder, bool) -> Builder;
    let switches: [(&str, c_int, Set); 8] = [
        ("tiered", options.tiered, Builder::tiered),
        ("lazy", options.lazy, Builder::lazy),
        ("contain_faults", options.contain_faults, Builder::contain_faults),
        ("contain_aborts", options.contain_aborts, Builder::contain_aborts),
        ("check_declarations", options.check_declarations, Builder::check_declarations),
        ("process_symbols", options.process_symbols, Builder::process_symbols),
        ("debugger", options.debugger, Builder::debugger),
        ("verify_diff", options.verify_diff, Builder::verify_diff),
    ];
    for (name, value, set) in switches {
        if let Some(on) = switch(name, value)? {
            builder = set(builder, on);
        }
    }
    builder = match options.history {
        0 => builder,
        -1 => builder.history(0),
        count => builder.history(count.try_into().map_err(|_| unknown("history", count))?),
    };
    if options.compile_threads != 0 {
        let count = options.compile_threads;
        builder = builder.compile_threads(count.try_into().map_err(|_| unknown("compile_threads", count))?);
    }
    if switch("perf_map", options.perf_map)? == Some(true) {
        builder = builder.profiler(Profiler::PerfMap);
    }
    // SAFETY: by the contract above, as for all that follow.
    unsafe {
        if !options.jit_dump.is_null() {
            builder = builder.profiler(Profiler::JitDump(path(options.jit_dump, "jit_dump")?.to_owned()));
        }
        if !options.cpu.is_null() {
            builder = builder.cpu(text(options.cpu, "cpu")?);
        }
        builder = builder.arguments(list(options.arguments, options.arguments_count, "arguments")?);
        let names = list(options.entered_once, options.entered_once_count, "entered_once")?;
        builder = builder.entered_once(names.into_iter().map(String::from_utf8_lossy));
        Ok(builder.cache(cache(options)?))
    }
}

unsafe fn cache(options: &HotslotOptions) -> Result<Option<Cache>> {
    let of_user = switch("user_cache", options.user_cache)? == Some(true);
    let cache = match options.cache.is_null() {
        // SAFETY: the caller's contract.
        false => Some(Cache::at(unsafe { path(options.cache, "cache")? })),
        true if of_user => Cache::of_user(),
        true => None,
    };
    Ok(match options.cache_limit {
        0 => cache,
        limit => cache.map(|cache| cache.limit(limit)),
    })
}

/// What a setting that is on or off says, if it does.
pub fn switch(name: &str, value: c_int) -> Result<Option<bool>> {
    match value {
        HOTSLOT_DEFAULT => Ok(None),
        HOTSLOT_ON => Ok(Some(true)),
        HOTSLOT_OFF => Ok(Some(false)),
        other => Err(unknown(name, other)),
    }
}

fn unknown(name: &str, value: c_int) -> Box<HotslotError> {
    HotslotError::of_argument_with(
        format!("{name} cannot be {value}"),
        "use the constants of hotslot.h; 0 is the default",
    )
}
