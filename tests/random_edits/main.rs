//! After any edit a patched module does what a fresh one does: random programs, edited at
//! random, at every level, with the optimiser behind or not.
//!
//! `RANDOM_EDITS_SEEDS=100..200` runs others, for as long as it takes.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "../common/clang.rs"]
mod clang;
mod program;

use hotslot::{OptLevel, Runtime, Source};
use program::{Program, Random};

fn compile(program: &Program) -> Source {
    let flags = ["-O2", "-Xclang", "-disable-llvm-passes", "-emit-llvm"];
    match program.cxx {
        true => clang::object(&program.source(), "clang++-19", &flags),
        false => clang::object(&program.source(), "clang-19", &flags),
    }
    .trusted()
}

/// What the entries return.
fn results(rt: &Runtime, program: &Program) -> Vec<(String, u32)> {
    let one = |name: String| {
        // SAFETY: the functions have these types.
        let (set, entry) = unsafe {
            (
                rt.function::<extern "C" fn()>("set").unwrap(),
                rt.function::<extern "C" fn() -> u32>(&name).unwrap(),
            )
        };
        set.call();
        let result = entry.call();
        (name, result)
    };
    program.entries().map(one).collect()
}

fn runtime() -> hotslot::Builder {
    Runtime::builder().arena_size(32 << 20).verify_diff(true)
}

/// The same where what some functions call is not copied into them, static ones among them.
fn entered_once() -> hotslot::Builder {
    runtime().entered_once(
        (0..40).step_by(2).map(|n| format!("e{n}")).chain((0..40).step_by(3).map(|n| format!("f{n}"))),
    )
}

/// A way to compile what changes, and how often its better code is waited for.
struct Way {
    name: &'static str,
    runtime: Runtime,
    settle: u64,
}

fn run(seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    let cxx = random.chance(35);
    let mut program = Program::new(&mut random, cxx);
    let ways = [
        Way { name: "O0", runtime: runtime().opt_level(OptLevel::O0).build().unwrap(), settle: 0 },
        Way { name: "O2", runtime: runtime().tiered(false).build().unwrap(), settle: 0 },
        Way { name: "O2, entered once", runtime: entered_once().tiered(false).build().unwrap(), settle: 0 },
        Way { name: "tiered, entered once", runtime: entered_once().build().unwrap(), settle: 40 },
        Way { name: "tiered", runtime: runtime().build().unwrap(), settle: 100 },
        Way { name: "tiered, sometimes", runtime: runtime().build().unwrap(), settle: 30 },
    ];
    let source = compile(&program);
    // What each generation is and returns.
    let mut generations = Vec::new();
    let mut log = Vec::new();
    for way in &ways {
        way.runtime.load("m", source.clone()).unwrap();
    }
    let mut update = Some(source);
    for step in 0..=steps {
        if let Some(source) = update.take() {
            let fresh = runtime().opt_level(OptLevel::O0).build().unwrap();
            fresh.load("m", source).unwrap();
            generations.push((program.clone(), results(&fresh, &program)));
        }
        let expected = results_of(&generations, &program);
        for way in &ways {
            let check = |when: &str| {
                let found = results(&way.runtime, &program);
                if found != expected {
                    let name = format!("random-edits-{seed}");
                    let text = format!("{}\n/* {log:#?} */", program.source());
                    std::fs::write(std::env::temp_dir().join(&name), text).unwrap();
                    panic!(
                        "seed {seed}, step {step}, {} {when}: {log:?}\n found {found:?}\nexpect {expected:?}",
                        way.name
                    );
                }
            };
            check("at once");
            if random.chance(way.settle) {
                way.runtime.settle();
                check("settled");
            }
        }
        if step == steps {
            break;
        }
        let count = generations.len();
        if random.chance(12) && count > 2 {
            // The live generation cannot be returned to.
            let to = count - 2;
            log.push(format!("back to {}", to + 1));
            for way in &ways {
                if way.runtime.rollback("m", to as u64 + 1).is_ok() {
                    let found = results(&way.runtime, &generations[to].0);
                    assert_eq!(found, generations[to].1, "seed {seed}, step {step}, {}: {log:?}", way.name);
                    way.runtime.rollback("m", count as u64).unwrap();
                }
            }
            continue;
        }
        for _ in 0..1 + random.below(3) {
            log.push(program.edit(&mut random));
        }
        let source = compile(&program);
        for way in &ways {
            let done = way.runtime.replace("m", source.clone());
            let report =
                done.unwrap_or_else(|e| panic!("seed {seed}, step {step}, {}: {log:?}: {e}", way.name));
            log.push(format!("{}: changed {:?}", way.name, report.modules[0].changed_functions));
        }
        update = Some(source);
        if random.chance(20) {
            ways[random.below(ways.len() as u64) as usize].runtime.reclaim();
        }
    }
}

fn results_of(generations: &[(Program, Vec<(String, u32)>)], _: &Program) -> Vec<(String, u32)> {
    generations.last().unwrap().1.clone()
}

#[test]
fn patched_modules_do_what_fresh_ones_do() {
    let seeds = std::env::var("RANDOM_EDITS_SEEDS").ok();
    let seeds = seeds.as_deref().and_then(|text| text.split_once(".."));
    let seeds = seeds.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?)).unwrap_or(0..10);
    for seed in seeds {
        run(seed, 10);
    }
}
