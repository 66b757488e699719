//! `--time`: what each phase took, as a table on stderr when the program ends.
//!
//! The program may end anywhere, by `exit` from any thread, so the figures live
//! in a static and an exit handler prints them. Only the process that loaded the
//! program prints: its forks run the same handlers.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::exit;

/// What has been measured so far.
struct Record {
    process: u32,
    begun: Instant,
    phases: Vec<(&'static str, Duration)>,
    notes: String,
    running_since: Option<Instant>,
}

static RECORD: Mutex<Option<Record>> = Mutex::new(None);

/// Starts the record and makes sure that it is printed. Call before any of the
/// program's code runs, so that its own exit handlers run first and are counted.
pub fn begin() {
    let record = Record {
        process: std::process::id(),
        begun: Instant::now(),
        phases: Vec::new(),
        notes: String::new(),
        running_since: None,
    };
    *RECORD.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
    exit::at_exit(print);
}

/// Adds a phase. Does nothing when no record was begun.
pub fn phase(name: &'static str, took: Duration) {
    with(|record| record.phases.push((name, took)));
}

/// Adds a line below the phases.
pub fn note(line: &str) {
    with(|record| record.notes.push_str(&format!("{line}\n")));
}

/// From here on it is the program's time.
pub fn program_starts() {
    with(|record| record.running_since = Some(Instant::now()));
}

/// Drops the record: nothing ran, so there is nothing to print.
pub fn forget() {
    *RECORD.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn with(change: impl FnOnce(&mut Record)) {
    let mut record = RECORD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(record) = record.as_mut() {
        change(record);
    }
}

/// The exit handler. Also for who ends the process before it would run.
pub extern "C" fn print() {
    // A fork may have copied the lock while it was held: then it is not ours to print.
    let Ok(mut record) = RECORD.try_lock() else {
        return;
    };
    let Some(mut record) = record.take() else {
        return;
    };
    if record.process != std::process::id() {
        return;
    }
    if let Some(since) = record.running_since {
        record.phases.push(("run", since.elapsed()));
    }
    let table = table(&record.phases, record.begun.elapsed()) + &record.notes;
    // The table comes last, after what the program still has to write.
    exit::flush_stdio();
    // There is no one to tell when stderr is closed.
    let _ = std::io::stderr().write_all(table.as_bytes());
}

/// A row a phase, times in milliseconds.
fn table(phases: &[(&'static str, Duration)], total: Duration) -> String {
    let mut text = format!("{:<18}{:>14}\n", "phase", "time");
    for (name, took) in phases.iter().chain(&[("total", total)]) {
        let ms = took.as_secs_f64() * 1e3;
        // A figure as fine as the measurement is worth.
        let digits = if ms < 10.0 { 3 } else { 1 };
        text.push_str(&format!("{name:<18}{ms:>11.digits$} ms\n"));
    }
    if phases.iter().map(|(_, took)| *took).sum::<Duration>() > total {
        text.push_str("(phases that ran on several cores are added up)\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let text = table(
            &[("front end", Duration::from_micros(123_456)), ("link", Duration::from_micros(420))],
            Duration::from_secs(2),
        );
        assert_eq!(
            text,
            "phase                       time\n\
             front end               123.5 ms\n\
             link                    0.420 ms\n\
             total                  2000.0 ms\n"
        );
    }

    #[test]
    fn a_sum_above_the_total_is_explained() {
        let second = Duration::from_secs(1);
        let text = table(&[("code generation", 2 * second)], second);
        assert!(text.ends_with("are added up)\n"), "{text}");
    }
}
