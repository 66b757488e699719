//! Memory and mappings after many edits of Lua.
//!
//! Each way makes a thousand edits, the modules in turn, every one different, or as many as
//! its time allows: the row says how many, and nothing is extrapolated. Readings are of the
//! process that runs the program, against the one after loading and a first round of edits.
//! Making the edits leaves something in LLVM's heap, for every way the same.

use std::time::Instant;

use crate::child::{self, tell};
use crate::report::Row;
use crate::ways::{Level, mappings, resident};
use crate::{changes, contenders, inputs, quick, record};

/// Readings on the way, for the plot.
const READINGS: usize = 20;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    inputs::prepare("lua");
    let (edits, budget) = if quick() { (66, 0.7) } else { (1000, 60.0) };
    let mut contenders = contenders::all();
    // Another linker makes no other program.
    contenders.retain(|way| !["native-lld", "native-mold"].contains(&way.name));
    contenders.retain(|way| !quick() || ["hotslot", "relink", "lljit", "mcjit"].contains(&way.name));
    let measure = |way: &str| {
        let values = child::run("memory", &["lua", way, &edits.to_string(), &budget.to_string()]);
        let mut readings: Vec<Reading> = Vec::new();
        for (name, value) in values {
            let Some((after, what)) = name.split_once('.') else { continue };
            let after: usize = after.parse().unwrap_or_default();
            if readings.last().is_none_or(|last| last.edits != after) {
                readings.push(Reading { edits: after, ..Reading::default() });
            }
            if let Some(reading) = readings.last_mut() {
                match what {
                    "rss" => reading.rss = value,
                    "pss" => reading.pss = value,
                    _ => reading.mappings = value,
                }
            }
        }
        readings
    };
    contenders.iter().filter_map(|way| row(way.name, &measure(way.name))).collect()
}

/// What a process had after so many edits.
#[derive(Default)]
pub struct Reading {
    /// Edits since the first reading.
    pub edits: usize,
    /// Resident KiB.
    pub rss: f64,
    /// The same, pages mapped twice counted once.
    pub pss: f64,
    /// Mappings.
    pub mappings: f64,
}

fn row(way: &str, readings: &[Reading]) -> Option<Row> {
    let (first, last) = (readings.first()?, readings.last()?);
    record::memory(way, readings);
    let grown = last.rss - first.rss;
    let row = Row::reported(
        format!("memory after {} edits of Lua, O2, {way}", last.edits),
        format!(
            "RSS {:.1} MiB, {:+.1} ({:.1} KiB an edit); PSS {:+.1}; mappings {}, {:+}",
            last.rss / 1024.0,
            grown / 1024.0,
            grown / last.edits.max(1) as f64,
            (last.pss - first.pss) / 1024.0,
            last.mappings,
            last.mappings - first.mappings
        ),
    );
    let row = row.number("edits", last.edits as f64).number("rss_kib", last.rss);
    let row = row.number("grown_rss_kib", grown).number("grown_pss_kib", last.pss - first.pss);
    Some(row.number("mappings", last.mappings).number("more_mappings", last.mappings - first.mappings))
}

/// Measures in a process of its own: program, way, edits, seconds.
pub fn child(arguments: &[&str]) {
    let [name, way, edits, budget] = arguments else { panic!("program, way, edits, seconds") };
    let edits: usize = edits.parse().expect("a number");
    let budget: f64 = budget.parse().expect("a number of seconds");
    let program = inputs::program(name, way);
    let mut loaded = match contenders::load(way, &program, Level::O2) {
        Ok(loaded) => loaded,
        Err(why) => return eprintln!("{way} cannot do {name}: {why}"),
    };
    let modules: Vec<usize> =
        (0..program.modules.len()).filter(|&m| changes::middle(&program.modules[m]).is_some()).collect();
    let mut next = 0;
    let mut edit = || {
        let edit = changes::edit(name, &program, modules[next % modules.len()], next as i32);
        next += 1;
        loaded.edit(&edit.expect("it has a function")).unwrap_or_else(|why| panic!("{way}: {why}"));
        // Whatever an edit leaves, in the background as well, is its own.
        loaded.settle();
        loaded.process()
    };
    // A first round fills what stays; slow ways have no time for a whole one.
    let mut begun = Instant::now();
    let mut process = edit();
    for _ in 1..modules.len() {
        if begun.elapsed().as_secs_f64() < budget / 2.0 {
            process = edit();
        }
    }
    begun = Instant::now();
    for number in 0..=edits {
        let over = number == edits || begun.elapsed().as_secs_f64() > budget;
        if over || number % (edits / READINGS).max(1) == 0 {
            let (rss, pss) = resident(process).unwrap_or_default();
            // Wide enough that names are in the order of the numbers.
            tell(&format!("{number:06}.rss"), rss as f64 / 1024.0);
            tell(&format!("{number:06}.pss"), pss as f64 / 1024.0);
            tell(&format!("{number:06}.mappings"), mappings(process).unwrap_or_default() as f64);
        }
        if over {
            break;
        }
        process = edit();
    }
    std::mem::forget(loaded);
}
