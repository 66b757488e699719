//! What `--stress` prints when the program exits.
//!
//! Owns the figures and how they look; it does not know where they come from.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use hotslot::{Error, ErrorKind, Pending, Report, Stats, Totals};

/// What has happened so far.
pub struct Tally {
    rate: f64,
    seed: u64,
    modules: usize,
    begun: Instant,
    at_start: Footprint,
    commits: u64,
    replaced: u64,
    rollbacks: u64,
    /// Updates that were prepared and then dropped.
    pub dropped: u64,
    refused: u64,
    first_refusal: Option<String>,
    held_back: u64,
    longest: Duration,
    /// Why old generations of a module are pending, and how many are for that.
    held: Vec<(String, usize)>,
}

/// Reasons that are listed.
const REASONS: usize = 4;

impl Tally {
    /// Nothing yet.
    pub fn new(rate: f64, seed: u64, modules: usize) -> Self {
        Self {
            rate,
            seed,
            modules,
            begun: Instant::now(),
            at_start: Footprint::now(),
            commits: 0,
            replaced: 0,
            rollbacks: 0,
            dropped: 0,
            refused: 0,
            first_refusal: None,
            held_back: 0,
            longest: Duration::ZERO,
            held: Vec::new(),
        }
    }

    /// Counts an update that is live, in which `returning` modules went back to an earlier
    /// generation.
    pub fn commit(&mut self, report: &Report, returning: u64) {
        self.commits += 1;
        self.rollbacks += returning;
        self.replaced += (report.modules.len() as u64).saturating_sub(returning);
        self.longest = self.longest.max(report.times.publish);
    }

    /// Counts an update that was refused.
    pub fn refuse(&mut self, error: &Error) {
        if error.kind() == ErrorKind::Reclaim {
            self.held_back += 1;
        } else {
            self.refused += 1;
            self.first_refusal.get_or_insert_with(|| format!("{error:#}"));
        }
    }

    /// Notes what keeps old generations.
    pub fn holders(&mut self, pending: &[Pending]) {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for pending in pending {
            let module = &pending.module;
            let reason = match pending.holders.first() {
                Some(holder) => format!("{module}, by thread `{}` in {}", holder.name, holder.function),
                None => format!("{module}, because {}", pending.kept_because),
            };
            *reasons.entry(reason).or_default() += 1;
        }
        self.held = reasons.into_iter().collect();
        self.held.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    }

    /// Writes the summary to stderr, with what the runtime has to say if it can be asked.
    pub fn print(&self, runtime: Option<&(Stats, Totals)>) {
        let text = self.text(self.begun.elapsed(), Footprint::now(), runtime);
        // There is no one to tell when stderr is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn text(&self, ran: Duration, at_end: Footprint, runtime: Option<&(Stats, Totals)>) -> String {
        let seconds = ran.as_secs_f64();
        let rate = if self.rate == 0.0 { "as often as possible".into() } else { format!("{} Hz", self.rate) };
        let mut lines = vec![
            ("stress", format!("{rate}, seed {}, {} modules, {seconds:.2} s", self.seed, self.modules)),
            (
                "commits",
                format!(
                    "{} ({:.1} a second, longest {:.3} ms)",
                    self.commits,
                    self.commits as f64 / seconds.max(1e-9),
                    self.longest.as_secs_f64() * 1e3
                ),
            ),
            ("replaced", format!("{} modules", self.replaced)),
            ("rolled back", format!("{} modules", self.rollbacks)),
            ("dropped", format!("{} prepared updates", self.dropped)),
        ];
        let first = self.first_refusal.as_deref().map(|text| format!(", first: {text}")).unwrap_or_default();
        lines.push(("refused", format!("{}{first}", self.refused)));
        lines.push(("held back", format!("{} times", self.held_back)));
        match runtime {
            Some((stats, totals)) => {
                lines.push((
                    "reclaimed",
                    format!("{} generations, {} KiB", totals.reclaimed, totals.reclaimed_bytes >> 10),
                ));
                lines.push((
                    "pending",
                    format!("{} generations, {} KiB", stats.retired, stats.retired_bytes >> 10),
                ));
            }
            None => lines.push(("unfinished", "one update, which was left behind".into())),
        }
        for (reason, count) in self.held.iter().take(REASONS) {
            lines.push(("held", format!("{count} of {reason}")));
        }
        let (then, now) = (self.at_start, at_end);
        lines.push((
            "resident",
            format!("{} KiB at the start, {} KiB at the end", then.resident, now.resident),
        ));
        lines.push(("mappings", format!("{} at the start, {} at the end", then.mappings, now.mappings)));
        lines.push(("open files", format!("{} at the start, {} at the end", then.files, now.files)));
        lines.into_iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect()
    }
}

/// What a process takes of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Footprint {
    /// Resident memory in KiB.
    resident: usize,
    mappings: usize,
    files: usize,
}

impl Footprint {
    /// This process's; zero where the kernel does not say.
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
        let mappings = std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
        // Without the one that looks.
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1));
        Self { resident: resident.unwrap_or_default(), mappings, files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_something() {
        let now = Footprint::now();
        assert!(now.resident > 0 && now.mappings > 0 && now.files > 0, "{now:?}");
    }

    #[test]
    fn every_figure_has_a_line() {
        let mut tally = Tally::new(0.5, 7, 3);
        let mut report = Report::default();
        report.times.publish = Duration::from_micros(1500);
        report.modules = vec![Default::default(), Default::default()];
        tally.commit(&report, 1);
        let at_end = Footprint { resident: 20, mappings: 3, files: 4 };
        tally.at_start = Footprint { resident: 10, mappings: 2, files: 4 };
        let text = tally.text(Duration::from_secs(2), at_end, Some(&Default::default()));
        assert_eq!(
            text,
            "stress      0.5 Hz, seed 7, 3 modules, 2.00 s\n\
             commits     1 (0.5 a second, longest 1.500 ms)\n\
             replaced    1 modules\n\
             rolled back 1 modules\n\
             dropped     0 prepared updates\n\
             refused     0\n\
             held back   0 times\n\
             reclaimed   0 generations, 0 KiB\n\
             pending     0 generations, 0 KiB\n\
             resident    10 KiB at the start, 20 KiB at the end\n\
             mappings    2 at the start, 3 at the end\n\
             open files  4 at the start, 4 at the end\n"
        );
        let text = tally.text(Duration::from_secs(2), at_end, None);
        assert!(text.contains("unfinished"), "{text}");
    }
}
