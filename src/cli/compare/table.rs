//! The result, for people and for programs.
//!
//! Owns medians and what is compared with what: a way that starts from bitcode with hotslot from
//! bitcode, one that starts from the source with hotslot and its front end; and all of them with
//! the mode of hotslot whose code is of their level at once.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::ways::job::{Memory, Outcome};
use super::super::ways::{Contender, PHASES, Phase, Result as WayResult, Split, Trouble};
use super::input::Input;
use super::process::Run;

/// What was measured of one way.
pub struct Row {
    /// Which.
    pub way: &'static Contender,
    /// Why there is nothing, or no more.
    pub trouble: Option<Trouble>,
    splits: Vec<Split>,
    load: Vec<Duration>,
    before: Memory,
    after: Memory,
    runs: Vec<Run>,
    run_trouble: Option<Trouble>,
}

/// A way that has taken that long is not measured again.
const PATIENCE: Duration = Duration::from_secs(20);

impl Row {
    /// Of a way that was not measured yet.
    pub fn new(way: &'static Contender) -> Self {
        Self {
            way,
            trouble: None,
            splits: Vec::new(),
            load: Vec::new(),
            before: Memory::default(),
            after: Memory::default(),
            runs: Vec::new(),
            run_trouble: None,
        }
    }

    /// Another round would tell nothing, or take too long.
    pub fn is_done(&self) -> bool {
        let spent: Duration = self.load.iter().chain(self.splits.iter().map(|split| &split.total)).sum();
        self.trouble.is_some() || spent > PATIENCE
    }

    /// Adds a round; of its edits only those count that are not taken back by others.
    pub fn add(&mut self, outcome: Outcome, counted: &[bool]) {
        self.splits
            .extend(outcome.edits.into_iter().zip(counted).filter(|(_, c)| **c).map(|(split, _)| split));
        self.load.push(outcome.load);
        (self.before, self.after) = (outcome.before, outcome.after);
    }

    /// Adds a run of the program.
    pub fn add_run(&mut self, run: WayResult<Run>) {
        match run {
            Ok(run) => self.runs.push(run),
            Err(why) => self.run_trouble = Some(why),
        }
    }

    fn live(&self) -> Option<Duration> {
        median(self.splits.iter().map(|split| split.total))
    }

    fn phase(&self, phase: Phase) -> Option<Duration> {
        median(self.splits.iter().filter_map(|split| split.of(phase)))
    }

    /// It begins with a compiler that reads the file.
    fn starts_from_source(&self) -> bool {
        self.splits.iter().any(|split| split.of(Phase::Compile).is_some())
    }

    fn answers(&self) -> Vec<i32> {
        let mut answers: Vec<i32> = self.splits.iter().filter_map(|split| split.answer).collect();
        answers.dedup();
        answers
    }

    /// How many times as long as hotslot at the same level, or as hotslot where that was not
    /// measured, both from the same start.
    fn ratio(&self, input: &Input, rows: &[Row]) -> Option<f64> {
        let base = |name| rows.iter().find(|row| row.way.name == name).and_then(Row::live);
        let base = base("hotslot-full").or_else(|| base("hotslot"))?;
        let front_end = if self.starts_from_source() { front_end(input) } else { None };
        Some(self.live()?.as_secs_f64() / (base + front_end.unwrap_or_default()).as_secs_f64())
    }
}

fn front_end(input: &Input) -> Option<Duration> {
    median(input.front_end.iter().copied())
}

/// The middle one of these; the mean of the two in the middle of an even number.
fn median(times: impl Iterator<Item = Duration>) -> Option<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    let (low, high) = (times.get(times.len().checked_sub(1)? / 2)?, times.get(times.len() / 2)?);
    Some((*low + *high) / 2)
}

/// For a terminal.
pub fn text(input: &Input, rows: &[Row]) -> String {
    let phases: Vec<_> =
        PHASES.iter().filter(|(phase, _)| rows.iter().any(|r| r.phase(*phase).is_some())).collect();
    let mut head = vec!["way".to_owned(), "live, ms".to_owned(), "ratio".to_owned()];
    head.extend(phases.iter().map(|(_, name)| (*name).to_owned()));
    head.extend(["MiB".to_owned(), "mappings".to_owned()]);
    let answers = rows.iter().any(|row| !row.answers().is_empty());
    let runs = rows.iter().any(|row| !row.runs.is_empty());
    head.extend(answers.then(|| "answer".to_owned()));
    head.extend(runs.then(|| "run, ms".to_owned()));
    let mut lines = vec![head];
    for row in rows.iter().filter(|row| row.trouble.is_none()) {
        let mut line = vec![row.way.name.to_owned(), cell(row.live())];
        line.push(row.ratio(input, rows).map_or("-".to_owned(), ratio));
        line.extend(phases.iter().map(|(phase, _)| cell(row.phase(*phase))));
        line.push(format!("{:.1}", row.after.proportional as f64 / f64::from(1 << 20)));
        line.push(row.after.mappings.to_string());
        line.extend(answers.then(|| {
            let answers: Vec<String> = row.answers().iter().map(i32::to_string).collect();
            answers.join(" ")
        }));
        line.extend(runs.then(|| cell(median(row.runs.iter().map(|run| run.took)))));
        lines.push(line);
    }
    let mut text = heading(input);
    align(&mut text, &lines);
    text.push('\n');
    for row in rows {
        let note = match &row.trouble {
            Some(trouble @ Trouble::NotInstalled(_)) => trouble.to_string(),
            Some(Trouble::Failed(why)) => format!("failed: {why}"),
            None => row.way.price.to_owned(),
        };
        let _ = writeln!(text, "{:<14}{note}", row.way.name);
        if let Some(why) = &row.run_trouble {
            let _ = writeln!(text, "{:<14}does not run: {why}", "");
        }
    }
    text
}

/// What the table is about.
fn heading(input: &Input) -> String {
    let modules = input.job.program.modules.len();
    let what = if input.made_up { "made-up edits of one function" } else { "the given edits" };
    let mut text = format!("{modules} modules at -{}, {what}: medians\n", input.job.level.name());
    if let Some(time) = front_end(input) {
        let _ = writeln!(
            text,
            "from bitcode in hand; the front end takes {} ms more, which `compile` includes",
            cell(Some(time))
        );
    }
    text.push('\n');
    text
}

fn align(text: &mut String, lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column| lines.iter().filter_map(|line| line.get(column)).map(|cell: &String| cell.len()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            // Names to the left, numbers to the right.
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
}

/// Milliseconds, as fine as the measurement is worth.
fn cell(time: Option<Duration>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let ms = time.as_secs_f64() * 1e3;
    let digits = if ms < 1.0 {
        3
    } else if ms < 100.0 {
        1
    } else {
        0
    };
    format!("{ms:.digits$}")
}

fn ratio(ratio: f64) -> String {
    let digits = usize::from(ratio < 10.0);
    format!("{ratio:.digits$}x")
}

/// For programs. Times are in seconds, memory in bytes.
pub fn json(input: &Input, rows: &[Row]) -> String {
    let seconds = |time: Option<Duration>| time.map_or(Value::Null, |time| json!(time.as_secs_f64()));
    let ways: Vec<Value> = rows
        .iter()
        .map(|row| {
            let phases = PHASES
                .iter()
                .filter_map(|(phase, name)| Some(((*name).to_owned(), seconds(Some(row.phase(*phase)?)))));
            let each: Vec<f64> = row.splits.iter().map(|split| split.total.as_secs_f64()).collect();
            json!({
                "way": row.way.name,
                "what": row.way.what,
                "price": row.way.price,
                "installed": !matches!(row.trouble, Some(Trouble::NotInstalled(_))),
                "error": row.trouble.as_ref().map(Trouble::to_string),
                "from_source": row.starts_from_source(),
                "live": seconds(row.live()),
                "each": each,
                "ratio": row.ratio(input, rows),
                "phases": phases.collect::<serde_json::Map<_, _>>(),
                "load": seconds(median(row.load.iter().copied())),
                "before": row.before,
                "after": row.after,
                "answers": row.answers(),
                "run": seconds(median(row.runs.iter().map(|run| run.took))),
                "exit_code": row.runs.last().and_then(|run| run.code),
                "run_error": row.run_trouble.as_ref().map(Trouble::to_string),
                "host_lines": row.way.lines(),
            })
        })
        .collect();
    let program = &input.job.program;
    let document = json!({
        "modules": program.modules.len(),
        "level": input.job.level,
        "made_up": input.made_up,
        "front_end": seconds(front_end(input)),
        "ways": ways,
    });
    format!("{document:#}\n")
}
