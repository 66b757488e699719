//! Reports of updates, and faults, as JSON.
//!
//! Owns the names in it: those of the Rust fields. Every field is taken out by name here, so that
//! one that the library adds is not forgotten.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Fault, Frame};
use crate::hooks::Applied;
use crate::runtime::{ModuleReport, Report, Shadowed, StaleReader, Times, TypesFrom, Undefined};

/// What an update did.
pub fn report(report: &Report) -> Value {
    let Report { modules, removed, undefined, shadowed, stale, times } = report;
    let undefined = undefined
        .iter()
        .map(|Undefined { symbol, wanted_by }| json!({ "symbol": symbol, "wanted_by": wanted_by }));
    let shadowed = shadowed.iter().map(
        |Shadowed { symbol, used, shadowed }| json!({ "symbol": symbol, "used": used, "shadowed": shadowed }),
    );
    let stale =
        stale.iter().map(|StaleReader { symbol, module }| json!({ "symbol": symbol, "module": module }));
    json!({
        "modules": modules.iter().map(|report| module(report)).collect::<Vec<_>>(),
        "removed": removed,
        "undefined": undefined.collect::<Vec<_>>(),
        "shadowed": shadowed.collect::<Vec<_>>(),
        "stale": stale.collect::<Vec<_>>(),
        "times_us": times_of(times),
    })
}

/// What became of one module.
pub fn module(report: &ModuleReport) -> Value {
    let ModuleReport {
        name,
        generation,
        functions,
        variables,
        lazy_functions,
        code_bytes,
        constant_bytes,
        variable_bytes,
        kept_storage,
        reset_storage,
        skipped_initialisers,
        restored,
        cached,
        types,
        new_functions,
        changed_functions,
        unchanged_functions,
        removed_functions,
        new_variables,
        reset_variables,
        migrated_variables,
        uninitialised,
        virtual_tables,
        ineffective,
    } = report;
    json!({
        "name": name,
        "generation": generation,
        "functions": functions,
        "variables": variables,
        "lazy_functions": lazy_functions,
        "code_bytes": code_bytes,
        "constant_bytes": constant_bytes,
        "variable_bytes": variable_bytes,
        "kept_storage": kept_storage,
        "reset_storage": reset_storage,
        "skipped_initialisers": skipped_initialisers,
        "restored": restored,
        "cached": cached,
        "types": match types {
            TypesFrom::Ir => "ir",
            TypesFrom::DebugInfo => "debug_info",
            TypesFrom::Unchecked => "unchecked",
        },
        "new_functions": new_functions,
        "changed_functions": changed_functions,
        "unchanged_functions": unchanged_functions,
        "removed_functions": removed_functions,
        "new_variables": new_variables,
        "reset_variables": reset_variables,
        "migrated_variables": migrated_variables,
        "uninitialised": uninitialised,
        "virtual_tables": virtual_tables,
        "ineffective": ineffective,
    })
}

fn times_of(times: &Times) -> Value {
    let Times { parse, optimise, codegen, link, publish } = times;
    json!({
        "parse": micros(*parse),
        "optimise": micros(*optimise),
        "codegen": micros(*codegen),
        "link": micros(*link),
        "publish": micros(*publish),
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What an update did that went through hooks.
pub fn applied(applied: &Applied) -> Value {
    let Applied { report: done, waited, generation, failed } = applied;
    json!({
        "report": report(done),
        "waited_us": micros(*waited),
        "generation": generation,
        "failed": failed.iter().map(Error::to_string).collect::<Vec<_>>(),
    })
}

/// Where generated code was when it was ended.
pub fn fault(fault: &Fault) -> Value {
    let Fault { signal, address, stack_overflow, frames, more_frames, in_allocator, changed_before } = fault;
    json!({
        "signal": signal,
        "signal_name": (*signal != 0).then(|| fault.signal_name()),
        "address": address,
        "stack_overflow": stack_overflow,
        "in_allocator": in_allocator,
        "frames": frames.iter().map(frame).collect::<Vec<_>>(),
        "more_frames": more_frames,
        "changed_before_us": changed_before.map(micros),
    })
}

fn frame(frame: &Frame) -> Value {
    let Frame { address, function, offset, module, line, library } = frame;
    json!({
        "address": address,
        "function": function,
        "offset": offset,
        "module": module.as_ref().map(|(name, _)| name),
        "generation": module.as_ref().map(|(_, generation)| generation),
        "file": line.as_ref().map(|(file, _)| file),
        "line": line.as_ref().map(|(_, line)| line),
        "library": library,
    })
}
