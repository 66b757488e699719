//! What the benchmarks share: the command line, processes of their own for measurements,
//! interleaved rounds, and the table at the end.
//!
//! A benchmark is a list of figures and a list of children. A figure runs children, which
//! are processes of the same binary, so that no measurement finds the heap, the mappings or
//! the branch predictor as another one left them. What is measured, and how, is each
//! figure's own matter.
//!
//! `cargo bench --bench NAME -- [--quick] [--json FILE] [FIGURE...]`
//!
//! Every benchmark compiles its own copy and uses a part of it.
#![allow(dead_code)]

pub mod child;
pub mod machine;
pub mod objects;
pub mod report;
pub mod resident;
pub mod rounds;

use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Instant;

use report::Row;

/// A figure's name on the command line, and what measures it.
pub type Figure = (&'static str, fn() -> Vec<Row>);

/// A measurement that runs in a process of its own, by the name its figure asks for.
pub type Child = (&'static str, fn(&[&str]));

/// Measures what the command line asks for, or is one of the children.
pub fn run(figures: &[Figure], children: &[Child]) -> ExitCode {
    run_and_then(figures, children, |_| Ok(()))
}

/// Whether less is to be measured, for those who work on the code.
pub fn quick() -> bool {
    QUICK.get().copied().unwrap_or(false)
}

static QUICK: OnceLock<bool> = OnceLock::new();

/// The same; with `--write`, the rows go to `write` as well, which keeps them.
pub fn run_and_then(
    figures: &[Figure],
    children: &[Child],
    write: impl FnOnce(&[Row]) -> std::io::Result<()>,
) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, child, rest @ ..] = &arguments[..]
        && first == child::FLAG
    {
        return run_child(children, child, rest);
    }
    let (mut json, mut wanted, mut keep) = (None, Vec::new(), false);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = arguments.next(),
            "--quick" => drop(QUICK.set(true)),
            "--write" => keep = true,
            // Cargo says this to every benchmark.
            "--bench" => {}
            name if figures.iter().any(|f| f.0 == name) => wanted.push(argument),
            other => {
                let known: Vec<&str> = figures.iter().map(|f| f.0).collect();
                eprintln!("unknown figure: {other}; there are: {}", known.join(", "));
                return ExitCode::FAILURE;
            }
        }
    }
    let mut rows = Vec::new();
    for (name, measure) in figures {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            eprint!("measuring {name} ... ");
            let started = Instant::now();
            rows.extend(measure());
            eprintln!("{:.1} s", started.elapsed().as_secs_f64());
        }
    }
    println!("{}", machine::describe());
    print!("{}", report::table(&rows));
    if let Some(path) = json
        && let Err(error) = std::fs::write(&path, report::json(&rows))
    {
        eprintln!("cannot write {path}: {error}");
        return ExitCode::FAILURE;
    }
    if keep && let Err(error) = write(&rows) {
        eprintln!("cannot keep the figures: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run_child(children: &[Child], name: &str, arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((_, measure)) = children.iter().find(|child| child.0 == name) else {
        eprintln!("no such measurement: {name}");
        return ExitCode::FAILURE;
    };
    measure(&arguments);
    // Ends without tearing runtimes down: that is not what is measured.
    std::process::exit(0)
}
