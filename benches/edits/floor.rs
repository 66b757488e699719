//! What hotslot takes over the least that LLVM could: reading the edited module, and
//! generating code of the changed function and nothing else.
//!
//! Both in one process and in turn, for each module of Lua. The floor's module has only the
//! changed function left: after LLVM has read it, all other functions and variables become
//! declarations, which is not counted. What is counted is reading, the passes of the level
//! (at O0 nearly none) and code generation into an object in memory. The floor links nothing,
//! and does not know which function changed: it is told.
//!
//! By default an edit is live at O0 first and optimised after that: how long both take together
//! is held against the floor at O2.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::{Duration, Instant};

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::{LLVMAttributeFunctionIndex, LLVMLinkage};

use crate::child::{self, Values, tell};
use crate::llvm::{self, Machine};
use crate::measure::time;
use crate::report::Row;
use crate::rounds::median;
use crate::ways::Level;
use crate::{changes, contenders, inputs, quick};

/// Rounds that warm both sides up, and rounds that are kept.
const WARM: usize = 1;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    inputs::prepare("lua");
    let rounds = if quick() { "2" } else { "7" };
    let measure = |way, level: Level| child::run("floor", &["lua", way, level.name(), rounds]);
    let (fast, full) = (measure("hotslot", Level::O0), measure("hotslot-full", Level::O2));
    // Loaded at O2; an edit goes live at O0 first.
    let tiered = measure("hotslot", Level::O2);
    let most = |most: f64| (format!("<= {most}x"), most);
    vec![
        row("O0, hotslot over its floor", &fast, "live", "fast", Some(most(1.5))),
        row("O2, hotslot-full over its floor", &full, "live", "full", Some(most(1.5))),
        row("at O0 first in a program at O2, hotslot over the floor at O0", &tiered, "live", "fast", None),
        row(
            "its optimised code live, hotslot against its floor at O2",
            &tiered,
            "settled",
            "full",
            Some(most(3.0)),
        ),
    ]
}

/// `ours`, when the code is live, over the floor called `base`.
fn row(what: &str, values: &Values, ours: &str, base: &str, target: Option<(String, f64)>) -> Row {
    let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
    let of_floor = |part: &str| value(&format!("{base}.{part}"));
    let of_ratio = |part: &str| value(&format!("{ours}/{base}.{part}"));
    let (ratio, floor) = (of_ratio("median"), of_floor("all"));
    let row = Row::reported(
        format!("one function edited in each module of Lua, {what}"),
        format!(
            "{} against {} (read {}, passes {}, code {}): {ratio:.2}x ({:.2}x to {:.2}x)",
            time(value(ours)),
            time(floor),
            time(of_floor("parse")),
            time(of_floor("optimise")),
            time(of_floor("code")),
            of_ratio("least"),
            of_ratio("most"),
        ),
    )
    .number("hotslot_us", value(ours))
    .number("floor_us", floor)
    .number("ratio", ratio);
    match target {
        Some((words, most)) => row.target(words, ratio <= most),
        None => row,
    }
}

/// Measures in a process of its own: program, way, level, rounds.
pub fn child(arguments: &[&str]) {
    let [name, way, level, rounds] = arguments else { panic!("program, way, level, rounds") };
    let rounds: usize = rounds.parse().expect("a number");
    let program = inputs::program(name, way);
    let mut hotslot = contenders::load(way, &program, contenders::level(level)).expect("hotslot loads Lua");
    let floors = [("fast", Machine::new(Level::O0)), ("full", Machine::new(Level::O2))];
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (module, content) in program.modules.iter().enumerate() {
        let Some(function) = changes::middle(content) else { continue };
        let mut own: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for round in 0..WARM + rounds {
            let edit = changes::of_function(&program, module, &function, round as i32);
            let begun = Instant::now();
            let split = hotslot.edit(&edit).expect("hotslot takes the edit");
            hotslot.settle();
            let mut values = vec![("live".to_owned(), split.total), ("settled".to_owned(), begun.elapsed())];
            for (kind, machine) in &floors {
                let parts = floor(machine, &edit.to.bitcode, &function.name);
                let named = ["parse", "optimise", "code"].into_iter().zip(parts);
                values.extend(named.map(|(part, took)| (format!("{kind}.{part}"), took)));
                values.push((format!("{kind}.all"), parts.iter().sum()));
            }
            if round >= WARM {
                for (name, took) in values {
                    own.entry(name).or_default().push(took.as_secs_f64() * 1e6);
                }
            }
        }
        let own: BTreeMap<String, f64> = own.into_iter().map(|(name, all)| (name, median(&all))).collect();
        for ours in ["live", "settled"] {
            for (kind, _) in &floors {
                let ratio = own[ours] / own[&format!("{kind}.all")];
                columns.entry(format!("{ours}/{kind}")).or_default().push(ratio);
            }
        }
        own.into_iter().for_each(|(name, middle)| columns.entry(name).or_default().push(middle));
    }
    for (name, column) in columns {
        if name.contains('/') {
            tell(&format!("{name}.median"), median(&column));
            tell(&format!("{name}.least"), column.iter().copied().fold(f64::INFINITY, f64::min));
            tell(&format!("{name}.most"), column.iter().copied().fold(0.0, f64::max));
        } else {
            tell(&name, median(&column));
        }
    }
    std::mem::forget(hotslot);
}

/// Reading a module, and passes and code generation for one function of it.
fn floor(machine: &Machine, bitcode: &[u8], function: &str) -> [Duration; 3] {
    let begun = Instant::now();
    llvm::with(bitcode, |module| {
        let parse = begun.elapsed();
        only(module, function);
        let begun = Instant::now();
        machine.optimise(module);
        let optimise = begun.elapsed();
        machine.generate(module);
        let code = begun.elapsed() - optimise;
        [parse, optimise, code]
    })
}

/// Leaves one function of a module its body; everything else is only declared.
fn only(module: LLVMModuleRef, function: &str) {
    // SAFETY: a live module. Variables lose their values first, so that nothing refers to the
    // blocks of a function that goes.
    unsafe {
        for list in [c"llvm.used", c"llvm.compiler.used", c"llvm.global_ctors"] {
            let found = LLVMGetNamedGlobal(module, list.as_ptr());
            if !found.is_null() {
                LLVMDeleteGlobal(found);
            }
        }
        for variable in llvm::variables(module) {
            if !llvm::is_declaration(variable) {
                LLVMSetInitializer(variable, std::ptr::null_mut());
                LLVMSetLinkage(variable, LLVMLinkage::LLVMExternalLinkage);
            }
        }
        for old in llvm::functions(module) {
            if llvm::is_declaration(old) {
                continue;
            }
            if llvm::name(old) == function {
                // Nobody is left who calls it.
                LLVMSetLinkage(old, LLVMLinkage::LLVMExternalLinkage);
                continue;
            }
            let name = CString::new(llvm::name(old)).unwrap_or_default();
            LLVMSetValueName2(old, c"".as_ptr(), 0);
            let new = LLVMAddFunction(module, name.as_ptr(), LLVMGlobalGetValueType(old));
            let count = LLVMGetAttributeCountAtIndex(old, LLVMAttributeFunctionIndex);
            let mut attributes = vec![std::ptr::null_mut(); count as usize];
            LLVMGetAttributesAtIndex(old, LLVMAttributeFunctionIndex, attributes.as_mut_ptr());
            for attribute in attributes {
                LLVMAddAttributeAtIndex(new, LLVMAttributeFunctionIndex, attribute);
            }
            LLVMReplaceAllUsesWith(old, new);
            LLVMDeleteFunction(old);
        }
    }
}
