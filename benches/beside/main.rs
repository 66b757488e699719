//! `hotslot repl` and clang-repl 19 over the same inputs: who does what was asked.
//!
//! Owns the table. The inputs are in `cases.rs`, a tool's session in `session.rs`.
//! `cargo bench --bench beside -- [--write] [--show] [WORD...]`: `--write` puts the table into
//! `docs/repl.md`, `--show` prints what was printed where somebody failed; words choose cases.
#![allow(unsafe_code)]

mod cases;
mod session;

use std::fmt::Write as _;
use std::process::ExitCode;

use cases::CASES;
use session::Tool;

const START: &str = "<!-- beside: start -->\n";
const END: &str = "<!-- beside: end -->";
const TOOLS: [Tool; 3] = [Tool::Hotslot, Tool::ClangReplC, Tool::ClangReplCxx];

fn main() -> ExitCode {
    let (mut write, mut show, mut words) = (false, false, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--write" => write = true,
            "--show" => show = true,
            "--bench" => {}
            _ => words.push(argument),
        }
    }
    let chosen: Vec<_> =
        CASES.iter().filter(|case| words.is_empty() || words.iter().any(|w| case.what.contains(w))).collect();
    let mut table =
        String::from("| | asked | hotslot | clang-repl, C | clang-repl, C++ |\n|---|---|---|---|---|\n");
    let (mut counts, mut group) = ([0; 3], "");
    for case in &chosen {
        let first = if case.group == group { "" } else { case.group };
        group = case.group;
        let _ = write!(table, "| {first} | {} |", case.what);
        for (tool, count) in TOOLS.into_iter().zip(&mut counts) {
            let (seen, printed) = session::run(tool, case);
            *count += usize::from(seen);
            let _ = write!(table, " {} |", if seen { "yes" } else { "no" });
            if show && !seen && tool == Tool::Hotslot {
                eprintln!("--- {}\n{printed}", case.what);
            }
        }
        table.push('\n');
    }
    let [hotslot, c, cxx] = counts;
    let _ = writeln!(table, "| | of {} | {hotslot} | {c} | {cxx} |", chosen.len());
    print!("{table}");
    if write && let Err(error) = keep(&table) {
        eprintln!("docs/repl.md: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Puts the table between its marks.
fn keep(table: &str) -> std::io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/repl.md");
    let text = std::fs::read_to_string(path)?;
    let (Some(start), Some(end)) = (text.find(START), text.find(END)) else {
        return Err(std::io::Error::other("the marks for the table are not there"));
    };
    std::fs::write(path, format!("{}{table}{}", &text[..start + START.len()], &text[end..]))
}
