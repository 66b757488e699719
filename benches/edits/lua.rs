//! One function edited in each module of Lua, by each way.
//!
//! All 33 modules, each by itself, from the edited module's bitcode in hand to its code live;
//! zstd beside it. Full relink and what else takes long edits as many modules as its time
//! allows, others in each round. A ratio is the median over the modules that both sides edited.

use crate::measure::{self, Edits, Job, time};
use crate::report::Row;
use crate::ways::Level;
use crate::{contenders, inputs, quick};

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    inputs::prepare("lua");
    let mut rows = program("lua", Level::O2, &names());
    rows.extend(program("lua", Level::O0, &["hotslot", "relink", "lljit"]));
    if !quick() {
        inputs::prepare("zstd");
        rows.extend(program("zstd", Level::O2, &["hotslot", "lljit"]));
    }
    rows
}

fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = contenders::all().iter().map(|contender| contender.name).collect();
    // These differ from others in little and take long to load.
    names.retain(|name| !(quick() && ["relink-lto", "native-lld", "native-mold"].contains(name)));
    names
}

fn program(program: &str, level: Level, ways: &[&str]) -> Vec<Row> {
    let (rounds, budget) = if quick() { (1, 1.0) } else { (2, 4.0) };
    let jobs: Vec<Job<'_>> =
        ways.iter().map(|&way| Job { program, way, level, edits: 100, budget }).collect();
    let measured = measure::run(rounds, &jobs);
    let hotslot = &measured[0];
    jobs.iter().zip(&measured).map(|(job, edits)| row(job, edits, hotslot)).collect()
}

fn row(job: &Job<'_>, edits: &Edits, hotslot: &Edits) -> Row {
    let contender = contenders::find(job.way);
    let ratio = edits.ratio(hotslot);
    let against = if job.way == "hotslot" { String::new() } else { format!(": {ratio:.1}x") };
    let figure = format!("{}, one function edited, {}, {}", job.program, job.level.name(), job.way);
    let words = format!("{}{against} ({})", time(edits.median()), edits.split());
    let row = Row::reported(figure, words)
        .number("median_us", edits.median())
        .number("ratio", ratio)
        .number("edits", edits.count() as f64)
        .number("host_lines", contender.lines() as f64);
    match job.way {
        "relink" if job.program == "lua" => row.target("hotslot >= 50x faster (aim 100x)", ratio >= 50.0),
        "lljit" if job.program == "lua" => row.target("hotslot >= 5x faster", ratio >= 5.0),
        _ => row,
    }
}
