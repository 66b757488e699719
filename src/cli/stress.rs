//! `--stress`: replaces modules by themselves while the program runs.
//!
//! Owns the thread that does it: which modules, how often, and when it ends. The code is the
//! same before and after each update, so whatever the program notices is a mistake of
//! hotslot's. What has happened is counted in `summary.rs`. The thread is there from the
//! program's first instruction until its exit handlers have run; in a fork of the program it
//! does not exist.

use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use hotslot::{ErrorKind, Runtime, Source};

use super::failure::Failure;
use super::options::StressOptions;
use super::summary::Tally;
use super::threads::{LAST_UPDATE, STACK};
use super::{exit, members, signals, timing};

/// How long to wait where threads hold more old code than may be kept.
const HELD_BACK: Duration = Duration::from_millis(5);
/// How often to look whether the program's threads are gone.
const LOOK: Duration = Duration::from_millis(50);

/// What `--stress` asks for.
pub struct Plan {
    rate: f64,
    recompile: bool,
    seed: u64,
}

impl Plan {
    /// What the options say; none without `--stress`.
    pub fn of(options: &StressOptions) -> Option<Self> {
        let rate = options.rate?;
        let seed = options.seed.unwrap_or_else(|| u64::from(Rng::new().u32(..)));
        Some(Self { rate, recompile: options.recompile, seed })
    }

    /// `source` as it is compiled: a child process to be on the safe side would be a fork
    /// that the program can notice.
    fn source(&self, source: Source) -> Source {
        if self.recompile { source.trusted() } else { source }
    }
}

/// A module and what it is replaced by.
struct Module {
    name: String,
    /// Compiled, so that to replace it is to link it.
    object: Source,
    /// What it is compiled from.
    source: Source,
}

/// What the thread and the end of the program share.
struct Session {
    process: u32,
    runtime: Runtime,
    tally: Mutex<Tally>,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    Working,
    Stopping,
    Stopped,
}

static SESSION: OnceLock<Session> = OnceLock::new();

/// Compiles every source that is not an archive, so that no update has to.
///
/// What is compiled again later is compiled in this process from the start. LLVM registers
/// destructors for what it makes on first use; done now, they run after the thread's end.
pub fn compile(
    runtime: &Runtime,
    plan: &Plan,
    sources: &[(String, Source)],
    is_archive: impl Fn(usize) -> bool + Sync,
) -> Result<Vec<Source>, Failure> {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(HashMap::new());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((_, source)) = sources.get(at) else { break };
            let source = source.clone();
            let object = if is_archive(at) { Ok(source) } else { runtime.compile(&plan.source(source)) };
            lock(&results).insert(at, object);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..std::thread::available_parallelism().map_or(1, usize::from).min(sources.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (mut objects, mut failures) = (Vec::new(), Vec::new());
    for result in (0..sources.len()).filter_map(|at| results.remove(&at)) {
        match result {
            Ok(object) => objects.push(object),
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    timing::phase("compile", begun.elapsed());
    Failure::all(failures).map_or(Ok(objects), Err)
}

/// Starts the thread. `sources` are those of the modules by name, `objects` what they were
/// compiled to, in the same order.
pub fn start(
    plan: Plan,
    runtime: &Runtime,
    sources: &[(String, Source)],
    objects: &[(String, Source)],
) -> Result<(), Failure> {
    let pairs = sources.iter().zip(objects);
    let mut known: HashMap<&str, (&Source, &Source)> =
        pairs.map(|((name, source), (_, object))| (name.as_str(), (source, object))).collect();
    let mut modules = Vec::new();
    for (name, _) in runtime.modules() {
        let (source, object) = match known.remove(name.as_str()) {
            Some((source, object)) => (source.clone(), object.clone()),
            None => {
                let source = plan.source(members::source(&name)?);
                let object = runtime.compile(&source)?;
                (source, object)
            }
        };
        modules.push(Module { name, object, source: plan.source(source) });
    }
    // The same seed must choose the same modules.
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    let session = Session {
        process: std::process::id(),
        runtime: runtime.clone(),
        tally: Mutex::new(Tally::new(plan.rate, plan.seed, modules.len())),
        stage: Mutex::new(Stage::Working),
        changed: Condvar::new(),
    };
    let session = SESSION.get_or_init(|| session);
    let thread = std::thread::Builder::new().name("hotslot-stress".to_owned()).stack_size(STACK);
    let work = move || {
        session.work(&plan, &modules);
        // What is pending now is held by something, not only waiting to be looked at.
        session.runtime.reclaim();
        lock(&session.tally).holders(&session.runtime.pending());
        session.set(Stage::Stopped);
    };
    // Before the destructors of what LLVM has made by now.
    exit::at_exit(stop);
    signals::while_blocked(|| thread.spawn(work))
        .map(drop)
        .map_err(|error| Failure::new(format!("the thread for --stress: {error}")))
}

/// Has the summary printed when the program exits. Call before any of its code runs, so that
/// its own exit handlers run first, under stress.
pub fn print_at_exit() {
    exit::at_exit_with_code(finish);
}

/// The session, unless this is a fork of the program, which has no such thread.
fn session() -> Option<&'static Session> {
    SESSION.get().filter(|session| session.process == std::process::id())
}

/// An exit handler: waits for the thread.
extern "C" fn stop() {
    session().inspect(|session| _ = session.stop());
}

/// The last exit handler: prints the summary.
fn finish(code: Option<c_int>) {
    let Some(session) = session() else { return };
    let stopped = session.stop();
    // The summary comes after what the program still has to write; `quick_exit` does not
    // write it.
    if code.is_some() {
        exit::flush_stdio();
    }
    // An update that does not end may hold the runtime's lock.
    let stats = stopped.then(|| (session.runtime.stats(), session.runtime.totals()));
    lock(&session.tally).print(stats.as_ref());
    if let (false, Some(code)) = (stopped, code) {
        timing::print();
        exit::leave(code);
    }
}

impl Session {
    fn set(&self, stage: Stage) {
        let mut now = lock(&self.stage);
        if *now < stage {
            *now = stage;
        }
        self.changed.notify_all();
    }

    /// Has the thread end, and waits for that; whether it did.
    fn stop(&self) -> bool {
        self.set(Stage::Stopping);
        let waits = |stage: &mut Stage| *stage != Stage::Stopped;
        let wait = self.changed.wait_timeout_while(lock(&self.stage), LAST_UPDATE, waits);
        *wait.unwrap_or_else(PoisonError::into_inner).0 == Stage::Stopped
    }

    fn is_over(&self) -> bool {
        *lock(&self.stage) != Stage::Working
    }

    /// Waits until `time`, or less if the program ends.
    fn wait_until(&self, time: Instant) {
        let mut stage = lock(&self.stage);
        while *stage == Stage::Working && !program_is_gone() {
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            stage =
                (self.changed.wait_timeout(stage, left.min(LOOK)).unwrap_or_else(PoisonError::into_inner)).0;
        }
    }

    /// The thread's work: one update after the other.
    fn work(&self, plan: &Plan, modules: &[Module]) {
        let mut choice = Rng::with_seed(plan.seed);
        let (mut next, mut look) = (Instant::now(), Instant::now());
        while !self.is_over() {
            if look.elapsed() > LOOK {
                look = Instant::now();
                // Its last thread has ended and waits for us alone: to end is to exit.
                if program_is_gone() {
                    break;
                }
            }
            if !modules.is_empty() {
                self.one_update(&mut choice, plan, modules);
            }
            if plan.rate > 0.0 || modules.is_empty() {
                next += Duration::from_secs_f64(1.0 / plan.rate.max(1.0 / 3600.0));
                // What could not be done in time is not made up for.
                next = next.max(Instant::now());
                self.wait_until(next);
            }
        }
    }

    fn one_update(&self, choice: &mut Rng, plan: &Plan, modules: &[Module]) {
        let mut chosen: Vec<&Module> = modules.iter().collect();
        choice.shuffle(&mut chosen);
        chosen.truncate(set_size(choice, modules.len()));
        let back = choice.u8(..8) == 0;
        let dropped = choice.u8(..16) == 0;

        let mut update = self.runtime.update();
        let mut returning = 0;
        for module in chosen {
            let past = if back { self.a_past_generation(choice, &module.name) } else { None };
            if let Some(number) = past {
                returning += 1;
                update.restore(&module.name, number);
                continue;
            }
            if self.is_over() {
                return;
            }
            let object =
                if plan.recompile { self.runtime.compile(&module.source) } else { Ok(module.object.clone()) };
            match object {
                Ok(object) => update.replace(&module.name, object),
                Err(error) => return lock(&self.tally).refuse(&error),
            };
        }
        let prepared = match update.prepare() {
            Ok(prepared) => prepared,
            Err(error) => {
                lock(&self.tally).refuse(&error);
                if error.kind() == ErrorKind::Reclaim {
                    self.wait_until(Instant::now() + HELD_BACK);
                }
                return;
            }
        };
        if dropped {
            drop(prepared);
            lock(&self.tally).dropped += 1;
            return;
        }
        match prepared.commit() {
            Ok(report) => lock(&self.tally).commit(&report, returning),
            Err(error) => lock(&self.tally).refuse(&error),
        }
    }

    fn a_past_generation(&self, choice: &mut Rng, module: &str) -> Option<u64> {
        let history = self.runtime.history(module).ok()?;
        let past: Vec<u64> = history.iter().filter(|g| !g.live).map(|g| g.number).collect();
        choice.choice(past)
    }
}

/// How many modules to replace at once: mostly one or two, at times all.
fn set_size(choice: &mut Rng, modules: usize) -> usize {
    let size = match choice.u8(..16) {
        0..8 => 1,
        8..12 => 2,
        12..15 => choice.usize(1..=modules),
        _ => modules,
    };
    size.min(modules)
}

/// Whether the program's `main` has ended by `pthread_exit`, and all of its threads have. The
/// C library exits when the last thread ends, and ours would be that.
fn program_is_gone() -> bool {
    let main_has_ended = || {
        let path = format!("/proc/self/task/{}/stat", std::process::id());
        // The state comes after the name, which is in parentheses.
        let stat = std::fs::read_to_string(path).ok()?;
        Some(stat.rsplit_once(") ")?.1.starts_with('Z'))
    };
    let threads = || Some(std::fs::read_dir("/proc/self/task").ok()?.count());
    main_has_ended() == Some(true) && threads() == Some(2)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_every_size() {
        let mut choice = Rng::with_seed(1);
        for modules in [1, 2, 5] {
            let mut seen = vec![0; modules + 1];
            for _ in 0..1000 {
                seen[set_size(&mut choice, modules)] += 1;
            }
            assert_eq!(seen[0], 0);
            assert!(seen[1..].iter().all(|&count| count > 0), "{seen:?}");
        }
    }

    #[test]
    fn a_program_with_threads_is_not_gone() {
        assert!(!program_is_gone());
    }
}
