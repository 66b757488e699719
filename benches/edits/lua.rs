//! One function edited in each module of Lua, by each way.
//!
//! All 33 modules, each by itself, from the edited module's bitcode in hand to its code live;
//! zstd beside it, in one round. Full relink and what else takes long edits as many modules as its time
//! allows, others in each round. A ratio is the median over the modules that both sides edited,
//! and its base is the mode of hotslot that puts code of the same level live at once: above O0
//! that is `hotslot-full`. The default mode's ratio is beside it.

use crate::measure::{self, Edits, Job, time};
use crate::report::Row;
use crate::ways::Level;
use crate::{contenders, inputs, quick};

const ROUNDS: usize = 2;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    inputs::prepare("lua");
    let mut rows = program("lua", Level::O2, &names());
    rows.extend(program("lua", Level::O0, &["hotslot", "relink", "lljit"]));
    if !quick() {
        inputs::prepare("zstd");
        rows.extend(program("zstd", Level::O2, &["hotslot", "hotslot-full", "lljit"]));
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
    let (rounds, budget) = match (quick(), program) {
        (true, _) => (1, 1.0),
        (false, "lua") => (ROUNDS, 2.5),
        (false, _) => (1, 2.5),
    };
    let jobs: Vec<Job<'_>> =
        ways.iter().map(|&way| Job { program, way, level, edits: 100, budget }).collect();
    let measured = measure::run(rounds, &jobs);
    let of = |way| ways.iter().position(|&known| known == way).map(|index| &measured[index]);
    let first = of("hotslot").expect("it is always among them");
    let same = of("hotslot-full").unwrap_or(first);
    jobs.iter().zip(&measured).map(|(job, edits)| row(job, edits, same, first)).collect()
}

/// `same` is hotslot at the same level, `first` what hotslot does first by default.
fn row(job: &Job<'_>, edits: &Edits, same: &Edits, first: &Edits) -> Row {
    let contender = contenders::find(job.way);
    let (ratio, against_first) = (edits.ratio(same), edits.ratio(first));
    let against = match job.way {
        way if way.starts_with("hotslot") => String::new(),
        _ if std::ptr::eq(same, first) => format!(": {ratio:.1}x"),
        _ => format!(": {ratio:.1}x of hotslot-full, {against_first:.1}x of hotslot"),
    };
    let figure = format!("{}, one function edited, {}, {}", job.program, job.level.name(), job.way);
    let words = format!("{}{against} ({})", time(edits.median()), edits.split());
    let row = Row::reported(figure, words)
        .number("median_us", edits.median())
        .number("ratio", ratio)
        .number("ratio_to_default", against_first)
        .number("edits", edits.count() as f64)
        .number("host_lines", contender.lines() as f64);
    match job.way {
        "relink" if job.program == "lua" => row.target("hotslot >= 50x faster (aim 100x)", ratio >= 50.0),
        "lljit" if job.program == "lua" => row.target("hotslot >= 5x faster", ratio >= 5.0),
        _ => row,
    }
}
