//! What was measured, number by number, for the files beside the documentation.
//!
//! Figures hand in what they measured on their way to rows; `write` makes `edits.json` and the
//! plots of it. An ordinary run writes nothing.

use std::io::{Error, Result};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::measure::{Edits, Job};
use crate::memory::Reading;
use crate::plots;
use crate::report::{self, Row};
use crate::ways::Level;

static RAW: Mutex<Vec<Value>> = Mutex::new(Vec::new());

fn keep(value: Value) {
    RAW.lock().unwrap_or_else(PoisonError::into_inner).push(value);
}

/// Edits of one program by one way.
pub fn edits(job: &Job<'_>, edits: &Edits) {
    keep(json!({
        "kind": "edits",
        "program": job.program,
        "way": job.way,
        "level": job.level.name(),
        "median_us": edits.median(),
        "load_ms": edits.load,
        "by_module_us": edits.total.iter().map(|(m, t)| (m.to_string(), json!(rounded(t)))).collect::<serde_json::Map<_, _>>(),
        "phases_us": edits.phases.iter().map(|(p, t)| ((*p).to_owned(), json!(rounded(t)))).collect::<serde_json::Map<_, _>>(),
    }));
}

/// Edits of SQLite: functions' sizes and times, in the order of their sizes.
pub fn sqlite(way: &str, level: Level, again: f64, sizes: &[f64], times: &[f64]) {
    keep(json!({
        "kind": "sqlite",
        "way": way,
        "level": level.name(),
        "again_us": again,
        "instructions": sizes,
        "times_us": rounded(times),
    }));
}

/// Memory of one way.
pub fn memory(way: &str, readings: &[Reading]) {
    let column = |of: fn(&Reading) -> f64| readings.iter().map(of).collect::<Vec<f64>>();
    keep(json!({
        "kind": "memory",
        "way": way,
        "edits": column(|r| r.edits as f64),
        "rss_kib": column(|r| r.rss),
        "pss_kib": column(|r| r.pss),
        "mappings": column(|r| r.mappings),
    }));
}

/// A tenth of a microsecond is less than what any two runs differ by.
fn rounded(times: &[f64]) -> Vec<f64> {
    times.iter().map(|time| (time * 10.0).round() / 10.0).collect()
}

/// Draws the plots again from the numbers that are there: for work on the plots.
pub fn redraw(_: &[&str]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks");
    let text = std::fs::read_to_string(directory.join("edits.json")).expect("figures have been kept");
    let document: Value = serde_json::from_str(&text).expect("it is as `write` wrote it");
    let raw = document["raw"].as_array().cloned().unwrap_or_default();
    plots::draw(&directory, &raw).unwrap_or_else(|why| panic!("{why}"));
}

/// Writes the rows, the raw numbers and the plots into `docs/benchmarks`.
pub fn write(rows: &[Row]) -> Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks");
    std::fs::create_dir_all(&directory)?;
    let raw = RAW.lock().unwrap_or_else(PoisonError::into_inner);
    let mut document: Value = serde_json::from_str(&report::json(rows)).map_err(Error::other)?;
    document["raw"] = json!(*raw);
    // A line for each series: it is data, but people look at what changed.
    let mut text = String::from("{\n");
    for (index, key) in ["machine", "rows", "raw"].iter().enumerate() {
        let value = match &document[*key] {
            Value::Array(items) => {
                let lines: Vec<String> = items.iter().map(|item| format!("    {item}")).collect();
                format!("[\n{}\n  ]", lines.join(",\n"))
            }
            other => other.to_string(),
        };
        let end = if index < 2 { "," } else { "" };
        text += &format!("  \"{key}\": {value}{end}\n");
    }
    text += "}\n";
    std::fs::write(directory.join("edits.json"), text)?;
    plots::draw(&directory, &raw).map_err(Error::other)
}
