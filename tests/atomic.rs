//! No mixed view: once anybody has seen the new code of a commit, nobody calls old code of it.
//!
//! Every function returns the version of its module set. Threads call them in every way there
//! is while commits go from version to version. A result must not be older than the newest
//! that any thread had seen when the call began, nor newer than the newest commit begun.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use hotslot::{CallForm, Function, OptLevel, Runtime, Source};

type Nullary = extern "C" fn() -> u64;
type Unary = extern "C" fn(u64) -> u64;

/// Commit number `n` makes version `n % VERSIONS` live. A thread that goes back one commit is
/// seen to go forward by all but one.
const VERSIONS: u64 = 9;
/// Every so many rounds of all versions one is made by replacing, the others by returning.
const REPLACING_ROUND: u64 = 16;
/// How many functions the chains of calls have, and how many chains there are.
const LINKS: usize = 4;
const CHAINS: usize = 8;

/// The functions under test: K of them over several modules. The second half, where there are
/// two halves, call one of the first half each and return both versions.
struct Layout {
    functions: usize,
}

impl Layout {
    fn modules(&self) -> usize {
        self.functions.min(8)
    }

    fn plain(&self) -> usize {
        if self.functions == 1 { 1 } else { self.functions / 2 }
    }

    fn source(&self, module: usize, version: u64) -> Source {
        let mut text = String::new();
        for function in (module..self.functions).step_by(self.modules()) {
            if function < self.plain() {
                text += &format!("define i64 @f{function}() {{ ret i64 {version} }}\n");
            } else {
                let callee = (function - self.plain() + 1) % self.plain();
                if callee % self.modules() != module {
                    text += &format!("declare i64 @f{callee}()\n");
                }
                text += &format!(
                    "define i64 @f{function}() {{ %r = call i64 @f{callee}()\n %s = shl i64 %r, 8\n \
                     %t = or i64 %s, {version}\n ret i64 %t }}\n"
                );
            }
        }
        // Two nested functions may name one callee.
        let mut lines: Vec<&str> = text.lines().collect();
        let (mut seen, all) = (std::collections::HashSet::new(), std::mem::take(&mut lines));
        lines.extend(all.into_iter().filter(|line| !line.starts_with("declare") || seen.insert(*line)));
        Source::ir(lines.join("\n")).trusted()
    }

    /// Callers that are never replaced: by direct calls and through pointers in memory.
    fn callers(&self) -> Source {
        let all = 0..self.functions;
        let mut text: String = all.clone().map(|k| format!("declare i64 @f{k}()\n")).collect();
        let table: Vec<String> = all.map(|k| format!("ptr @f{k}")).collect();
        text += &format!(
            "@table = global [{n} x ptr] [{table}]\n\
             define i64 @by_pointer(i64 %k) {{ %p = getelementptr [{n} x ptr], ptr @table, i64 0, i64 %k\n \
             %f = load ptr, ptr %p\n %r = call i64 %f()\n ret i64 %r }}\n",
            n = self.functions,
            table = table.join(", "),
        );
        for chain in 0..CHAINS {
            text += &format!("define i64 @chain{chain}() {{\n %s0 = add i64 0, 0\n");
            for link in 0..LINKS {
                let callee = self.in_chain(chain, link);
                text += &format!(
                    " %r{link} = call i64 @f{callee}()\n %m{link} = shl i64 %r{link}, {}\n \
                     %s{} = or i64 %s{link}, %m{link}\n",
                    link * 8,
                    link + 1
                );
            }
            text += &format!(" ret i64 %s{LINKS}\n}}\n");
        }
        Source::ir(text).trusted()
    }

    fn in_chain(&self, chain: usize, link: usize) -> usize {
        (chain * 7 + link * 13) % self.plain()
    }
}

/// What threads know of each other.
#[derive(Default)]
struct Shared {
    /// The newest commit that has begun, and the newest that somebody has seen.
    begun: AtomicU64,
    seen: AtomicU64,
    stop: AtomicBool,
    calls: AtomicU64,
    /// Calls that took so long that every version may have been live meanwhile.
    unsure: AtomicU64,
}

impl Shared {
    /// Runs `call`, which returns the versions it met in the order it met them, and checks
    /// each. `read` takes them out of the result.
    fn check(&self, what: &str, count: usize, call: impl FnOnce() -> u64) {
        let mut at_least = self.seen.load(Ordering::Acquire);
        let mut result = call();
        let at_most = self.begun.load(Ordering::SeqCst);
        self.calls.fetch_add(1, Ordering::Relaxed);
        if at_most - at_least >= VERSIONS - 1 {
            self.unsure.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for place in 0..count {
            let version = result & 0xff;
            result >>= 8;
            let commit = at_least + (version + VERSIONS - at_least % VERSIONS) % VERSIONS;
            assert!(
                version < VERSIONS && commit <= at_most,
                "{what}, call {place}: version {version} when commit {at_least} had been seen and {at_most} begun"
            );
            at_least = commit;
        }
        self.seen.fetch_max(at_least, Ordering::AcqRel);
    }
}

struct Handles {
    functions: Vec<Function<Nullary>>,
    chains: Vec<Function<Nullary>>,
    by_pointer: Function<Unary>,
}

impl Handles {
    fn new(rt: &Runtime, layout: &Layout) -> Self {
        // SAFETY: all of these have their type in every version.
        let nullary = |name: String| unsafe { rt.function::<Nullary>(&name) }.unwrap();
        Self {
            functions: (0..layout.functions).map(|k| nullary(format!("f{k}"))).collect(),
            chains: (0..CHAINS).map(|k| nullary(format!("chain{k}"))).collect(),
            // SAFETY: as above.
            by_pointer: unsafe { rt.function("by_pointer") }.unwrap(),
        }
    }

    /// Calls until it is told to stop.
    fn call_all(&self, shared: &Shared, layout: &Layout, mut random: u64) {
        let stored: Vec<Nullary> = self.functions.iter().map(Function::as_ptr).collect();
        while !shared.stop.load(Ordering::Relaxed) {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (way, pick) = ((random >> 33) % 4, (random >> 40) as usize);
            let k = pick % layout.functions;
            let nested = k >= layout.plain();
            // The caller's own version in the lowest byte, met first; then that of what it called.
            let count = if nested { 2 } else { 1 };
            match way {
                0 => shared.check("handle", count, || self.functions[k].call()),
                1 => shared.check("stored pointer", count, || stored[k]()),
                2 => shared.check("table", count, || self.by_pointer.call(k as u64)),
                _ => shared.check("chain", LINKS, || self.chains[pick % CHAINS].call()),
            }
        }
    }
}

fn runtime(form: CallForm) -> Runtime {
    Runtime::builder()
        .arena_size(1 << 30)
        .history(2 * VERSIONS as usize)
        .retained_limit(usize::MAX)
        .call_form(form)
        .opt_level(OptLevel::O1)
        .build()
        .unwrap()
}

/// The objects of each version, compiled once.
fn compile(layout: &Layout, form: CallForm) -> Vec<Vec<Source>> {
    let rt = runtime(form);
    let one = |version, module| rt.compile(&layout.source(module, version)).unwrap();
    (0..VERSIONS).map(|version| (0..layout.modules()).map(|module| one(version, module)).collect()).collect()
}

/// Commits `commits` times while `threads` threads call.
fn run(layout: &Layout, sources: &[Vec<Source>], threads: usize, form: CallForm, commits: u64) {
    let rt = runtime(form);
    let names: Vec<String> = (0..layout.modules()).map(|m| format!("m{m}")).collect();
    // The generation that each version has at the moment; all modules go together.
    let mut generations = [0; VERSIONS as usize];
    for version in 0..VERSIONS as usize {
        let mut update = rt.update();
        for (name, source) in names.iter().zip(&sources[version]) {
            match version {
                0 => update.load(name, source.clone()),
                _ => update.replace(name, source.clone()),
            };
        }
        update.commit().unwrap();
        generations[version] = version as u64 + 1;
    }
    rt.load("callers", layout.callers()).unwrap();
    let (handles, shared) = (Handles::new(&rt, layout), Shared::default());
    let mut last = VERSIONS - 1;
    shared.begun.store(last, Ordering::SeqCst);
    shared.seen.store(last, Ordering::SeqCst);
    let mut newest = VERSIONS;
    let started = Instant::now();
    std::thread::scope(|scope| {
        // Readers that fail must not leave the others running for ever.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stop = Stop(&shared.stop);
        for thread in 0..threads {
            let (handles, shared) = (&handles, &shared);
            scope.spawn(move || {
                let _stop = Stop(&shared.stop);
                handles.call_all(shared, layout, thread as u64);
            });
        }
        for commit in VERSIONS..VERSIONS + commits {
            if shared.stop.load(Ordering::Relaxed) {
                return;
            }
            let version = (commit % VERSIONS) as usize;
            let mut update = rt.update();
            let replacing = (commit / VERSIONS).is_multiple_of(REPLACING_ROUND);
            for (name, source) in names.iter().zip(&sources[version]) {
                match replacing {
                    true => update.replace(name, source.clone()),
                    false => update.restore(name, generations[version]),
                };
            }
            let prepared = update.prepare().unwrap();
            shared.begun.store(commit, Ordering::SeqCst);
            prepared.commit().unwrap();
            shared.seen.fetch_max(commit, Ordering::AcqRel);
            if replacing {
                newest += 1;
                generations[version] = newest;
            }
            last = commit;
        }
        // On a busy machine threads may not have had their turn yet.
        while shared.calls.load(Ordering::Relaxed) <= commits.min(1000)
            && !shared.stop.load(Ordering::Relaxed)
        {
            std::thread::yield_now();
        }
    });
    assert_eq!(last, VERSIONS + commits - 1);
    assert_eq!(handles.functions[0].call() & 0xff, last % VERSIONS);
    let (calls, unsure) = (shared.calls.into_inner(), shared.unsure.into_inner());
    println!(
        "{} functions, {threads} threads, {form:?}: {commits} commits, {calls} calls, {unsure} unsure, {:?}",
        layout.functions,
        started.elapsed()
    );
    assert!(calls > commits.min(1000) && unsure < calls / 2, "{calls} calls, {unsure} unsure");
}

/// All numbers of threads, in both forms of calls.
fn all(functions: usize, commits: [u64; 4]) {
    let layout = Layout { functions };
    for form in [CallForm::Slot, CallForm::Stub] {
        let sources = compile(&layout, form);
        for (threads, commits) in [1, 2, 4, 16].into_iter().zip(commits) {
            run(&layout, &sources, threads, form, commits);
        }
    }
}

// More than 10^5 commits altogether.

#[test]
fn one_function() {
    all(1, [14_000, 13_000, 10_000, 3_000]);
}

#[test]
fn two_functions() {
    all(2, [3_000, 3_000, 2_500, 1_000]);
}

#[test]
fn many_functions() {
    all(64, [500, 400, 300, 100]);
}

#[test]
fn a_thousand_functions() {
    all(1000, [20, 20, 10, 6]);
}

#[test]
#[ignore = "takes hours: cargo test --release --test atomic -- --ignored"]
fn ten_million_commits() {
    // Runtimes of a limited life, so that what they retire stays little.
    for _ in 0..100 {
        all(1, [20_000; 4]);
        all(2, [5_000; 4]);
        all(64, [500; 4]);
        all(1000, [20; 4]);
    }
}
