//! The promise itself: where digests are equal, LLVM makes equal code.
//!
//! Real IR is changed at random. Of functions whose digests stay the same, slices of both
//! modules are optimised and compiled, and the code is compared.

use std::cell::Cell;
use std::collections::BTreeSet;

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::{Linkage as IrLinkage, Module};
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::tests_input::*;
use super::*;

/// What may be put in place of what, in a line of IR.
const CHANGES: &[(&str, &str)] = &[
    (" nsw", ""),
    (" inbounds", ""),
    ("= add ", "= sub "),
    ("= sub ", "= add "),
    ("= and ", "= or "),
    ("= shl ", "= lshr "),
    ("icmp eq", "icmp ne"),
    ("icmp ult", "icmp ule"),
    ("icmp slt", "icmp sgt"),
    ("= zext", "= sext"),
    (", align 8", ", align 1"),
    (", align 4", ", align 2"),
    ("load i", "load volatile i"),
    ("store i", "store volatile i"),
    ("tail call", "call"),
    (" noundef", ""),
    (" zeroext", " signext"),
    ("i32 1", "i32 3"),
    ("i64 1", "i64 2"),
    ("i32 0", "i32 1"),
    (", !tbaa !", ", !noundef !"),
    (", !llvm.loop", ", !annotation"),
    ("internal ", ""),
    ("private unnamed_addr ", "private "),
    (" constant ", " global "),
    ("hidden ", ""),
    ("nounwind ", ""),
    ("noinline ", ""),
    (", i64 0}", ", i64 8}"),
    ("!\"int\"", "!\"number\""),
    ("c\"", "c\"\\01"),
    ("%1", "%2"),
    ("label %", "label  %"),
];

/// The changed text, and the function that was changed if it was one.
fn changed(text: &str, line: usize, change: usize) -> Option<(String, Option<String>)> {
    let lines: Vec<&str> = text.lines().collect();
    let (from, to) = CHANGES[change];
    let at = (0..lines.len()).map(|n| (n + line) % lines.len()).find(|n| lines[*n].contains(from))?;
    let new = lines[at].replacen(from, to, 1);
    let mut all = lines.clone();
    all[at] = &new;
    let head = lines[..=at].iter().rev().take_while(|l| **l != "}").find(|l| l.starts_with("define"));
    let name = head.and_then(|head| Some(head.split_once('@')?.1.split_once('(')?.0.to_owned()));
    Some((all.join("\n"), name))
}

/// Names of a function and of all that the optimiser may look into from it.
fn with_candidates(summary: &Summary, function: &str) -> BTreeSet<String> {
    let mut met = BTreeSet::new();
    let start = summary.functions.iter().position(|f| &*f.name == function).unwrap();
    let (mut functions, mut variables) = (vec![start as u32], Vec::<u32>::new());
    let mut seen = BTreeSet::new();
    loop {
        if let Some(index) = functions.pop() {
            let f = &summary.functions[index as usize];
            let looked_into = f.is_inline_candidate || f.is_defined && f.flags.always_inline;
            if (index == start as u32 || looked_into) && met.insert(f.name.to_string()) {
                functions.extend(&f.functions[..]);
                variables.extend(&f.variables[..]);
            }
        } else if let Some(index) = variables.pop() {
            let v = &summary.variables[index as usize];
            if v.is_constant && seen.insert(index) {
                functions.extend(&v.functions[..]);
                variables.extend(&v.variables[..]);
            }
        } else {
            return met;
        }
    }
}

/// Bytes of a function's optimised code and what they refer to.
fn code(bitcode: &[u8], summary: &Summary, function: &str) -> Option<String> {
    let bodies = with_candidates(summary, function);
    let constant = |name: &str| summary.variables.iter().any(|v| &*v.name == name && v.is_constant);
    let part = sliced(bitcode, &|kind, name| match kind {
        Definition::Function => bodies.contains(name),
        Definition::Variable => constant(name),
        Definition::Alias => false,
    });
    let context = Context::create();
    let buffer = MemoryBuffer::create_from_memory_range_copy(&part.ok()?, "slice");
    let module = Module::parse_bitcode_from_buffer(&buffer, &context).unwrap();
    module.verify().unwrap();
    module.get_function(function)?.set_linkage(IrLinkage::External);
    Target::initialize_native(&InitializationConfig::default()).unwrap();
    let triple = TargetMachine::get_default_triple();
    let machine = Target::from_triple(&triple)
        .unwrap()
        .create_target_machine(&triple, "", "", OptimizationLevel::Default, RelocMode::PIC, CodeModel::Small)
        .unwrap();
    module.run_passes("default<O2>", &machine, PassBuilderOptions::create()).unwrap();
    let object = machine.write_to_memory_buffer(&module, FileType::Object).unwrap();
    let file: ElfFile64<'_> = ElfFile64::parse(object.as_slice()).unwrap();
    let symbol = file.symbols().find(|s| s.name() == Ok(function)).unwrap();
    let section = file.section_by_index(symbol.section_index()?).unwrap();
    let range = symbol.address()..symbol.address() + symbol.size();
    let bytes = &section.data().unwrap()[range.start as usize..range.end as usize];
    let mut text = format!("{bytes:02x?}");
    for (at, relocation) in section.relocations().filter(|(at, _)| range.contains(at)) {
        let RelocationTarget::Symbol(target) = relocation.target() else { continue };
        let target = file.symbol_by_index(target).unwrap();
        let name = target.name().unwrap_or_default();
        let place = target.section_index().and_then(|index| file.section_by_index(index).ok());
        let local = place.filter(|s| target.is_local() && s.name().is_ok_and(|n| !n.starts_with(".text")));
        text += &format!("\n{} {:?} ", at - range.start, relocation.flags());
        // What lies there counts, not where it lies.
        match local.and_then(|s| Some((s.data().ok()?, target.address() as i64 + relocation.addend() + 4))) {
            Some((data, from)) => {
                let end = data.len().min(from as usize + 16);
                text += &format!("{:02x?}", data.get(from as usize..end));
            }
            None => text += &format!("{name} {}", relocation.addend()),
        }
    }
    Some(text)
}

#[test]
fn equal_digests_mean_equal_code() {
    let bitcode = from_file(&lua("ltable.c"), &[]);
    let context = Context::create();
    let buffer = MemoryBuffer::create_from_memory_range_copy(&bitcode, "lua");
    let text = Module::parse_bitcode_from_buffer(&buffer, &context).unwrap().print_to_string().to_string();
    let original = from_ir(&text).unwrap();
    let before = summarise(&original).unwrap();
    let (compared, detected, differing) = (Cell::new(0), Cell::new(0), Cell::new(0));

    let config = Config { cases: 120, failure_persistence: None, ..Config::default() };
    let strategy = (0..text.lines().count(), 0..CHANGES.len(), any::<prop::sample::Index>());
    let run = TestRunner::new(config).run(&strategy, |(line, change, any)| {
        let Some((text, edited)) = changed(&text, line, change) else {
            return Ok(());
        };
        let Ok(after) = from_ir(&text) else {
            return Ok(());
        };
        // What calls the function that was changed is likelier to show an error than others.
        let edited = before.functions.iter().position(|f| Some(&*f.name) == edited.as_deref());
        let near = |f: &Function| {
            edited.is_some_and(|e| f.name == before.functions[e].name || f.functions.contains(&(e as u32)))
        };
        let summary = summarise(&after).unwrap();
        let mut equal = Vec::new();
        for (old, new) in before.functions.iter().zip(&summary.functions).filter(|(old, _)| old.is_defined) {
            assert_eq!(old.name, new.name);
            if old.deep == new.deep && new.deep.is_some() && before.module == summary.module {
                equal.push(old);
            } else if detected.replace(detected.get() + 1) % 8 == 0 {
                // Shows that the comparison sees differences.
                let differs = code(&original, &before, &old.name) != code(&after, &summary, &old.name);
                differing.set(differing.get() + u32::from(differs));
            }
        }
        for _ in 0..2.min(equal.len()) {
            let next = equal.iter().position(|f| near(f)).unwrap_or_else(|| any.index(equal.len()));
            let name = &equal.swap_remove(next).name;
            let codes = (code(&original, &before, name), code(&after, &summary, name));
            prop_assert_eq!(codes.0, codes.1, "{} after {:?}", name, CHANGES[change]);
            compared.set(compared.get() + 1);
        }
        Ok(())
    });
    run.unwrap_or_else(|e| panic!("{e}"));
    assert!(compared.get() > 50 && detected.get() > 50 && differing.get() > 5, "{compared:?} {differing:?}");
}
