//! Edits of a program by one way, each measured from edited bitcode in hand to the first call.
//!
//! A child loads the program and makes edits until it has made all it was asked for or its
//! time is over: a full relink takes seconds where hotslot takes less than a thousandth of
//! that. The edited bitcode is made before the clock starts. The first edit, which finds
//! everything cold, is made twice and kept once, unless it takes long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::child::{self, tell};
use crate::rounds::median;
use crate::ways::{Level, PHASES, Phase};
use crate::{changes, contenders, inputs, record};

/// Edits longer than this need no warming up.
const LONG: Duration = Duration::from_millis(500);

/// What was measured of a way: microseconds, by module.
#[derive(Default)]
pub struct Edits {
    /// The whole of each edit.
    pub total: BTreeMap<usize, Vec<f64>>,
    /// Its phases, by name.
    pub phases: BTreeMap<&'static str, Vec<f64>>,
    /// Milliseconds that loading the program took.
    pub load: Vec<f64>,
}

impl Edits {
    /// How many edits were measured.
    pub fn count(&self) -> usize {
        self.total.values().map(Vec::len).sum()
    }

    /// Each module's median, by module.
    pub fn by_module(&self) -> BTreeMap<usize, f64> {
        self.total.iter().map(|(&module, times)| (module, median(times))).collect()
    }

    /// The median over modules; not a number where there is none.
    pub fn median(&self) -> f64 {
        let all: Vec<f64> = self.by_module().into_values().collect();
        if all.is_empty() { f64::NAN } else { median(&all) }
    }

    /// How many times longer than `base`: the median over the modules that both edited.
    pub fn ratio(&self, base: &Self) -> f64 {
        let (own, base) = (self.by_module(), base.by_module());
        let ratios: Vec<f64> =
            own.iter().filter_map(|(module, time)| Some(time / base.get(module)?)).collect();
        if ratios.is_empty() { f64::NAN } else { median(&ratios) }
    }

    /// The phases' medians in words.
    pub fn split(&self) -> String {
        let part = |(_, name): &(Phase, &'static str)| {
            let times = self.phases.get(name)?;
            Some(format!("{name} {}", time(median(times))))
        };
        PHASES.iter().filter_map(part).collect::<Vec<String>>().join(", ")
    }
}

/// One measurement: who edits what, and for how long at most.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Name of the program.
    pub program: &'a str,
    /// Name of the way.
    pub way: &'a str,
    /// The level of all code.
    pub level: Level,
    /// How many modules are edited, spread over the program.
    pub edits: usize,
    /// Seconds after which no other edit begins.
    pub budget: f64,
}

/// Runs jobs in turn, each in processes of its own, `rounds` times.
pub fn run(rounds: usize, jobs: &[Job<'_>]) -> Vec<Edits> {
    let mut all: Vec<Edits> = jobs.iter().map(|_| Edits::default()).collect();
    for round in 0..rounds {
        for turn in 0..jobs.len() {
            let index = (round + turn) % jobs.len();
            measure(&jobs[index], round, &mut all[index]);
        }
    }
    for (job, edits) in jobs.iter().zip(&all) {
        record::edits(job, edits);
    }
    all
}

fn measure(job: &Job<'_>, round: usize, into: &mut Edits) {
    let (edits, budget, round) = (job.edits.to_string(), job.budget.to_string(), round.to_string());
    let arguments = [job.program, job.way, job.level.name(), &edits, &budget, &round];
    for (name, value) in child::run("edits", &arguments) {
        let Some((first, what)) = name.split_once('.') else {
            if name == "load" {
                into.load.push(value);
            }
            continue;
        };
        let Ok(module) = first.parse() else { continue };
        if what == "total" {
            into.total.entry(module).or_default().push(value);
        } else if let Some((_, name)) = PHASES.iter().find(|(_, name)| *name == what) {
            into.phases.entry(name).or_default().push(value);
        }
    }
}

/// Measures in a process of its own: program, way, level, edits, seconds, round.
pub fn child(arguments: &[&str]) {
    let [name, way, level, edits, budget, round] = arguments else { panic!("six arguments") };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let (edits, round) = (number(edits), number(round));
    let budget = budget.parse().expect("a number of seconds");
    let program = inputs::program(name, way);
    let begun = Instant::now();
    let mut loaded = match contenders::load(way, &program, contenders::level(level)) {
        Ok(loaded) => loaded,
        // The figure has no number then.
        Err(why) => return eprintln!("{way} cannot do {name}: {why}"),
    };
    tell("load", begun.elapsed().as_secs_f64() * 1e3);
    let mut warm = false;
    let begun = Instant::now();
    for (turn, module) in spread(program.modules.len(), edits, round).into_iter().enumerate() {
        // Another number in each process and turn: nobody has seen this edit.
        let mut number = (round * 1000 + turn * 2) as i32;
        let Some(mut edit) = changes::edit(name, &program, module, number) else { continue };
        let split = loop {
            match loaded.edit(&edit) {
                Ok(split) if warm || split.total > LONG => break split,
                Ok(_) => {
                    loaded.settle();
                    warm = true;
                    number += 1;
                    edit = changes::edit(name, &program, module, number).expect("it had one before");
                }
                Err(why) => return eprintln!("{way}, {}: {why}", edit.to.name),
            }
        };
        // What goes on in the background is not to be in the next edit's time.
        loaded.settle();
        tell(&format!("{module}.total"), split.total.as_secs_f64() * 1e6);
        for (phase, name) in PHASES {
            if let Some(took) = split.of(phase) {
                tell(&format!("{module}.{name}"), took.as_secs_f64() * 1e6);
            }
        }
        if begun.elapsed().as_secs_f64() > budget {
            break;
        }
    }
    // Tearing it down is not what is looked at.
    std::mem::forget(loaded);
}

/// Modules spread over the program, in an order in which each few are, too; another round
/// starts with others.
pub fn spread(modules: usize, wanted: usize, round: usize) -> Vec<usize> {
    let wanted = wanted.min(modules);
    let chosen: Vec<usize> = (0..wanted).map(|index| index * modules / wanted).collect();
    // Steps that have no factor with the number meet each place once.
    let step = (wanted * 3 / 8..).find(|&step| step > 0 && coprime(step, wanted)).unwrap_or(1);
    (0..wanted).map(|turn| chosen[(turn + round * 3) * step % wanted]).collect()
}

fn coprime(a: usize, b: usize) -> bool {
    if b == 0 { a == 1 } else { coprime(b, a % b) }
}

/// Microseconds in the unit that suits them.
pub fn time(microseconds: f64) -> String {
    match microseconds {
        t if t.is_nan() => "not measured".into(),
        t if t < 1e3 => format!("{t:.0} us"),
        t if t < 1e4 => format!("{:.2} ms", t / 1e3),
        t if t < 1e6 => format!("{:.0} ms", t / 1e3),
        t => format!("{:.2} s", t / 1e6),
    }
}
