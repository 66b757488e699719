//! `./x soak`: the same programs in turn for as long as wanted, by default an hour, and a
//! table of what each took. Output must stay the same, and a process must not grow.
//!
//! A program of ours does the same all the time, so its first third shows what it needs and
//! its last third must show no more. A real program is compared with itself without stress.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::*;
use common::run::Footprint;

/// Resident memory in KiB that a process may have more at its end than in its first third.
const MORE_RESIDENT: usize = 12 << 10;
/// And mappings: those of threads and of malloc come and go.
const MORE_MAPPINGS: usize = 48;
const MORE_FILES: usize = 8;
/// KiB that a real program may need more than without stress: past generations and what LLVM
/// takes to compile.
const MORE_THAN_WITHOUT: usize = 64 << 10;
const MORE_TO_COMPILE: usize = 512 << 10;

struct Row {
    program: Program,
    variant: &'static Variant,
    options: &'static [&'static str],
    /// Runs a loop until told to stop.
    is_steady: bool,
    runs: u64,
    commits: u64,
    most: Footprint,
    without: Option<Footprint>,
    failures: Vec<String>,
}

fn rows() -> Vec<Row> {
    let row = |program, variant, options, is_steady| Row {
        program,
        variant,
        options,
        is_steady,
        runs: 0,
        commits: 0,
        most: Footprint::default(),
        without: None,
        failures: Vec::new(),
    };
    let mut rows = Vec::new();
    for variant in [&BITCODE, &GCC_OBJECTS] {
        let ours = [programs::calls, programs::threads, programs::signals, programs::contexts];
        let ours = ours.into_iter().chain([programs::exceptions, programs::processes]);
        rows.extend(ours.map(|program| row(program(), variant, RELINK, true)));
        let real = [programs::lua54, programs::zstd, programs::sqlite, programs::cpp];
        rows.extend(real.map(|program| row(program(), variant, RELINK, false)));
    }
    let ours = [programs::calls, programs::threads, programs::exceptions];
    rows.extend(ours.map(|program| row(program(), &BITCODE, RECOMPILE, true)));
    let real = [programs::lua54, programs::zstd, programs::cpp];
    rows.extend(real.map(|program| row(program(), &BITCODE, RECOMPILE, false)));
    rows.push(row(programs::sqlite(), &BITCODE_RAW, RECOMPILE, false));
    rows
}

impl Row {
    fn name(&self) -> String {
        let recompiled = if self.options == RECOMPILE { ", recompiled" } else { "" };
        format!("{} as {}{recompiled}", self.program.name, self.variant.name)
    }

    fn run(&mut self, time: Duration) {
        let expected = expected(&self.program);
        let set = build::file_set(&self.program, self.variant);
        let case = &self.program.cases[0];
        let mut seen = Vec::new();
        let (got, summary) =
            run::watched(&self.program, &set, case, self.options, time, |footprint| seen.push(footprint));
        self.runs += 1;
        self.commits += figure(&summary, "commits").unwrap_or(0);
        if let Some(difference) = run::difference(&expected[0], &got) {
            self.failures.push(format!("{difference}{summary}"));
        }
        if figure(&summary, "refused") != Some(0) {
            self.failures.push(format!("refused:\n{summary}"));
        }
        let most = Footprint::most(&seen);
        self.most = Footprint::most(&[self.most, most]);
        let (before, after, resident) = if self.is_steady {
            let third = seen.len() / 3;
            let (first, last) = (&seen[..third], &seen[seen.len() - third..]);
            (Footprint::most(first), Footprint::most(last), MORE_RESIDENT)
        } else {
            let without = *self.without.get_or_insert_with(|| {
                let mut seen = Vec::new();
                run::watched(&self.program, &set, case, &[], time, |footprint| seen.push(footprint));
                Footprint::most(&seen)
            });
            let compiles = if self.options == RECOMPILE { MORE_TO_COMPILE } else { 0 };
            (without, most, MORE_THAN_WITHOUT + compiles)
        };
        let grew = [
            ("KiB resident", before.resident, after.resident, resident),
            ("mappings", before.mappings, after.mappings, MORE_MAPPINGS),
            ("open files", before.files, after.files, MORE_FILES),
        ];
        for (what, before, after, more) in grew {
            if before > 0 && after > before + more {
                self.failures.push(format!("from {before} to {after} {what}, more than {more}\n{summary}"));
            }
        }
    }
}

#[test]
#[ignore = "takes as long as HOTSLOT_SOAK_SECONDS says, an hour without: ./x soak"]
fn soak() {
    let seconds = std::env::var("HOTSLOT_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(3600));
    let mut rows = rows();
    // Everything has its turn at least once, and several where there is time.
    let share = end.saturating_duration_since(Instant::now()).as_secs() / (3 * rows.len() as u64);
    let time = Duration::from_secs(share.clamp(4, 60));
    let mut turn = 0;
    while turn < rows.len() || Instant::now() < end {
        let at = turn % rows.len();
        let row = &mut rows[at];
        row.run(time);
        println!("{}: {} commits in {} runs", row.name(), row.commits, row.runs);
        for failure in &row.failures {
            println!("{failure}");
        }
        turn += 1;
    }
    println!("{}", table(&rows));
    let failed: Vec<String> = rows.iter().filter(|row| !row.failures.is_empty()).map(Row::name).collect();
    assert!(failed.is_empty(), "failed: {}", failed.join("; "));
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<48}{:>6}{:>12}{:>14}{:>10}{:>7}{:>9}\n",
        "program", "runs", "commits", "resident KiB", "mappings", "files", "failed"
    );
    for row in rows {
        let Footprint { resident, mappings, files } = row.most;
        let (name, runs, commits, failed) = (row.name(), row.runs, row.commits, row.failures.len());
        let _ = writeln!(
            text,
            "{name:<48}{runs:>6}{commits:>12}{resident:>14}{mappings:>10}{files:>7}{failed:>9}"
        );
    }
    text
}
