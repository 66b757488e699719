//! Linking one module: from an object in memory to callable symbols.
//!
//! The 33 objects of Lua 5.4, clang -O2 -fPIC -fno-plt. Both sides are long-lived and warm
//! and hold the whole program; then each module in turn is linked again, in hotslot by
//! `replace`, in LLJIT by adding the object under a new resource tracker and looking a
//! symbol up, which makes JITLink link all of it. LLJIT cannot hold two definitions of a
//! name, so its old generation is removed first; hotslot frees the one before the present
//! at the same moment. Both are outside of the measured time in the compared figure, and
//! inside it in the one reported beside. Neither side copies the object.
#![allow(unsafe_code)] // frees what no thread runs

use std::ffi::CString;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hotslot::{Runtime, Source};
use object::LittleEndian;
use object::elf::{FileHeader64, STB_GLOBAL};
use object::read::elf::{FileHeader, Sym};

use crate::child::{self, tell};
use crate::common::build::{self, CLANG, Form, Variant};
use crate::common::programs;
use crate::lljit::{Added, Lljit};
use crate::report::Row;
use crate::rounds::median;

const OBJECTS: Variant =
    Variant { name: "bench_objects", forms: &[Form::Object(CLANG, "-O2 -fPIC -fno-plt")], lighter: false };

/// Rounds that warm both sides up, and rounds that are kept.
const WARM: usize = 8;
const ROUNDS: usize = 41;

struct Module {
    name: String,
    object: Vec<u8>,
    source: Source,
    /// A symbol that it defines.
    symbol: CString,
}

/// The row of the table.
pub fn figure() -> Vec<Row> {
    // Compiles what is not in the cache before anything is measured.
    build::file_set(&programs::lua54(), &OBJECTS);
    let values = child::run("link", &[]);
    let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
    let (ours, theirs) = (value("hotslot"), value("lljit"));
    let ratio = theirs / ours;
    let (freeing, removal) = (value("hotslot_freeing"), value("lljit_removal"));
    let count = value("modules");
    vec![
        Row::reported(
            format!("link one module, mean of the {count} of Lua 5.4, against LLJIT"),
            format!("{ours:.1} us against {theirs:.1} us: {ratio:.1}x"),
        )
        .target(">= 5x (aim 10x)", ratio >= 5.0)
        .number("hotslot_us", ours)
        .number("lljit_us", theirs)
        .number("ratio", ratio),
        Row::reported(
            "  the same, smallest and largest ratio of a module",
            format!("{:.1}x to {:.1}x", value("smallest"), value("largest")),
        )
        .number("smallest", value("smallest"))
        .number("largest", value("largest")),
        Row::reported(
            "  the same, removal of the old generation counted on both sides",
            format!("{freeing:.1} us against {removal:.1} us: {:.1}x", removal / freeing),
        )
        .number("hotslot_us", freeing)
        .number("lljit_us", removal)
        .number("ratio", removal / freeing),
    ]
}

/// Measures in a process of its own.
pub fn child() {
    let modules = modules();
    let runtime = loaded(&modules);
    let lljit = Lljit::new();
    let mut added: Vec<Option<Added>> = Vec::new();
    added.extend(modules.iter().map(|m| Some(lljit.add(&m.object))));
    for module in &modules {
        lljit.lookup(&module.symbol);
    }
    // SAFETY: Lua's own signatures; all modules are linked.
    assert!(unsafe { runs_lua(lljit.lookup(c"luaL_newstate"), lljit.lookup(c"lua_close")) });

    let count = modules.len();
    let (mut ours, mut theirs) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    let (mut with_freeing, mut with_removal) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for round in 0..WARM + ROUNDS {
        let mut our_turn = || {
            for ((module, times), with_freeing) in modules.iter().zip(&mut ours).zip(&mut with_freeing) {
                let started = Instant::now();
                // SAFETY: no code of this runtime runs while it is measured.
                unsafe { runtime.free_retired() };
                let freed = Instant::now();
                let report = runtime.replace(&module.name, module.source.clone());
                times.push(freed.elapsed());
                with_freeing.push(started.elapsed());
                black_box(report.expect("a module replaces itself"));
            }
        };
        let mut their_turn = || {
            for (index, module) in modules.iter().enumerate() {
                let old = added[index].take().expect("each module is added");
                let started = Instant::now();
                lljit.remove(old);
                let removed = Instant::now();
                let new = lljit.add(&module.object);
                black_box(lljit.lookup(&module.symbol));
                theirs[index].push(removed.elapsed());
                with_removal[index].push(started.elapsed());
                added[index] = Some(new);
            }
        };
        if round % 2 == 0 {
            our_turn();
            their_turn();
        } else {
            their_turn();
            our_turn();
        }
    }
    let address = |name: &str| runtime.address_of(name).expect("Lua defines it") as u64;
    // SAFETY: as above; every module is of its newest generation.
    assert!(unsafe { runs_lua(address("luaL_newstate"), address("lua_close")) });

    let medians = |times: &[Vec<Duration>]| {
        let microseconds = |t: &Duration| t.as_secs_f64() * 1e6;
        let kept = |t: &Vec<Duration>| t[WARM..].iter().map(microseconds).collect::<Vec<f64>>();
        times.iter().map(|t| median(&kept(t))).collect::<Vec<f64>>()
    };
    let (ours, theirs) = (medians(&ours), medians(&theirs));
    let ratios = || ours.iter().zip(&theirs).map(|(o, t)| t / o);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count as f64;
    tell("modules", count as f64);
    tell("hotslot", mean(&ours));
    tell("lljit", mean(&theirs));
    tell("hotslot_freeing", mean(&medians(&with_freeing)));
    tell("lljit_removal", mean(&medians(&with_removal)));
    tell("smallest", ratios().fold(f64::INFINITY, f64::min));
    tell("largest", ratios().fold(0.0, f64::max));
}

/// Only hotslot's side, as often as asked, for a profiler: `--child relink ROUNDS`.
pub fn relink(arguments: &[&str]) {
    let rounds = arguments.first().and_then(|text| text.parse::<u32>().ok());
    let modules = modules();
    let runtime = loaded(&modules);
    let started = Instant::now();
    let rounds = rounds.unwrap_or(500);
    for _ in 0..rounds {
        for module in &modules {
            // SAFETY: no code of this runtime runs while it is measured.
            unsafe { runtime.free_retired() };
            let report = runtime.replace(&module.name, module.source.clone());
            black_box(report.expect("a module replaces itself"));
        }
    }
    let took = started.elapsed().as_secs_f64() * 1e6;
    tell("mean", took / f64::from(rounds) / modules.len() as f64);
    // Tearing it down is not what is looked at.
    std::mem::forget(runtime);
}

/// A runtime that holds all of them.
fn loaded(modules: &[Module]) -> Runtime {
    let runtime = Runtime::new().expect("this machine can run hotslot");
    let mut update = runtime.update();
    for module in modules {
        update.load(&module.name, module.source.clone());
    }
    let report = update.commit().expect("Lua's objects link");
    assert!(report.undefined.is_empty(), "{:?}", report.undefined);
    runtime
}

fn modules() -> Vec<Module> {
    let set = build::file_set(&programs::lua54(), &OBJECTS);
    let load = |path: &std::path::PathBuf| {
        let object = std::fs::read(path).expect("the cache holds what it was built from");
        Module {
            name: path.file_stem().map(|s| s.to_string_lossy().into()).unwrap_or_default(),
            source: Source::object(object.clone()),
            symbol: first_symbol(&object),
            object,
        }
    };
    set.files.iter().map(load).collect()
}

/// The first global symbol that an object defines; two modules of Lua define only data.
fn first_symbol(object: &[u8]) -> CString {
    let find = || {
        let header = FileHeader64::<LittleEndian>::parse(object).ok()?;
        let sections = header.sections(LittleEndian, object).ok()?;
        let symbols = sections.symbols(LittleEndian, object, object::elf::SHT_SYMTAB).ok()?;
        let wanted = |symbol: &&object::elf::Sym64<LittleEndian>| {
            symbol.st_bind() == STB_GLOBAL && !symbol.is_undefined(LittleEndian)
        };
        let symbol = symbols.iter().find(wanted)?;
        CString::new(symbol.name(LittleEndian, symbols.strings()).ok()?).ok()
    };
    find().expect("every module of Lua defines something")
}

/// Makes and closes a Lua state.
///
/// # Safety
/// The addresses are those of the two functions of Lua, linked completely.
unsafe fn runs_lua(new_state: u64, close: u64) -> bool {
    // SAFETY: by the contract above.
    unsafe {
        let new_state: extern "C" fn() -> *mut u8 = std::mem::transmute(new_state as usize);
        let close: extern "C" fn(*mut u8) = std::mem::transmute(close as usize);
        let state = new_state();
        if !state.is_null() {
            close(state);
        }
        !state.is_null()
    }
}
