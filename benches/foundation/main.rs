//! The figures that the foundation must reach, measured and compared in one run.
//!
//! Owns the list of figures, the command line and the table at the end. Each figure is
//! measured in child processes of this same binary, so that no measurement finds the heap,
//! the mappings or the branch predictor as another one left them. What a figure means and
//! how it is measured is in its own file.
//!
//! `cargo bench --bench foundation -- [--json FILE] [FIGURE...]`
#![allow(unsafe_code)]

mod calls;
mod child;
#[path = "../../tests/common/mod.rs"]
mod common;
mod link;
mod lljit;
mod machine;
mod memory;
mod objects;
mod programs;
mod report;
mod rounds;
mod scale;
mod sites;

use std::process::ExitCode;
use std::time::Instant;

use report::Row;

/// A figure's name on the command line, and what measures it.
type Figure = (&'static str, fn() -> Vec<Row>);

const FIGURES: &[Figure] = &[
    ("link", link::figure),
    ("memory", memory::figure),
    ("scale", scale::figure),
    ("call", calls::figure),
    ("sites", sites::figure),
    ("programs", programs::figure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, child, rest @ ..] = &arguments[..]
        && first == child::FLAG
    {
        return run_child(child, rest);
    }
    let (mut json, mut wanted) = (None, Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = arguments.next(),
            // Cargo says this to every benchmark.
            "--bench" => {}
            name if FIGURES.iter().any(|f| f.0 == name) => wanted.push(argument),
            other => {
                let known: Vec<&str> = FIGURES.iter().map(|f| f.0).collect();
                eprintln!("unknown figure: {other}; there are: {}", known.join(", "));
                return ExitCode::FAILURE;
            }
        }
    }
    let mut rows = Vec::new();
    for (name, measure) in FIGURES {
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
    ExitCode::SUCCESS
}

fn run_child(name: &str, arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match name {
        "link" => link::child(),
        "relink" => link::relink(&arguments),
        "memory" => memory::child(&arguments),
        "scale" => scale::child(),
        "call" => calls::child(),
        "sites" => sites::child(),
        _ => {
            eprintln!("no such measurement: {name}");
            return ExitCode::FAILURE;
        }
    }
    // Ends without tearing runtimes down: that is not what is measured.
    std::process::exit(0)
}
