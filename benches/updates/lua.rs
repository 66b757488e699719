//! Lua's throughput while its modules are replaced, against the same without.
//!
//! The whole interpreter, 33 modules compiled by hotslot from clang's bitcode, runs the
//! mixed work of the foundation's figures in this process. In every other turn another
//! thread replaces modules of it, 100 a second, drawn at random, each compiled in advance.
//! Time is the processor time of the interpreting thread, signals that it gets included, and
//! beside it time on the clock; the ratio is the median over all pairs of turns. The script's
//! output must be the same in all turns.

use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotslot::{Function, Runtime, Source};

use crate::child::{self, tell};
use crate::common::build::{self, FileSet, Form, Variant};
use crate::common::programs;
use crate::report::Row;
use crate::rounds::{median, thread_time};

const BITCODE: Variant = Variant {
    name: "updates_bitcode",
    // What `hotslot run` itself asks of clang for a C file.
    forms: &[Form::Bitcode("-O2 -fPIC -fsemantic-interposition -Xclang -disable-llvm-passes")],
    lighter: false,
};
const PAIRS: usize = 24;
const WARM: usize = 2;
const RATE: u32 = 100;

type Main = extern "C" fn(i32, *mut *mut c_char) -> i32;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    file_set();
    let values = child::run("lua", &[]);
    let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
    let (without, with, ratio) = (value("without_ms"), value("with_ms"), value("ratio"));
    vec![
        Row::reported(
            "throughput of Lua with 100 modules replaced a second, against none",
            format!("{with:.1} ms against {without:.1} ms: {ratio:.3}x"),
        )
        .target(">= 0.97x", ratio >= 0.97)
        .number("with_ms", with)
        .number("without_ms", without)
        .number("ratio", ratio)
        .number("updates", value("updates")),
        Row::reported("  the same by the clock", format!("{:.3}x", value("clock_ratio")))
            .number("ratio", value("clock_ratio")),
        Row::reported(
            "  updates that the other thread made, and how long one took",
            format!("{:.0}, {:.1} us in the median", value("updates"), value("update_us")),
        )
        .number("updates", value("updates"))
        .number("update_us", value("update_us")),
    ]
}

fn file_set() -> FileSet {
    let mut program = programs::lua54();
    program.name = "updates_lua";
    program.defines = &["LUA_USE_LINUX", "main=program_main"];
    build::file_set(&program, &BITCODE)
}

/// Measures in a process of its own.
pub fn child() {
    let runtime = Runtime::new().expect("this machine can run hotslot");
    let modules: Vec<(String, Source)> = (file_set().files.iter())
        .map(|file| {
            let source = Source::from_path(file).expect("the cache holds what it was built from");
            let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            (name.unwrap_or_default(), runtime.compile(&source).expect("it compiles"))
        })
        .collect();
    let mut update = runtime.update();
    for (name, source) in &modules {
        update.load(name, source.clone());
    }
    update.strict().commit().expect("Lua links");
    // SAFETY: the type of a C program's main.
    let main = unsafe { runtime.function::<Main>("program_main") }.expect("it is loaded");
    let mut lua = Lua::new(main);

    let (mut ratios, mut clock) = (Vec::new(), Vec::new());
    let (mut with, mut without, mut updates) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..WARM + PAIRS {
        let mut turn = |replacing: bool| {
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let other = replacing.then(|| scope.spawn(|| replace(&runtime, &modules, pair, &stop)));
                let took = lua.turn();
                stop.store(true, Ordering::Relaxed);
                updates.extend(other.into_iter().flat_map(|o| o.join().expect("its updates succeed")));
                took
            })
        };
        let (first, second) = (turn(pair % 2 == 0), turn(pair % 2 == 1));
        let (stressed, free) = if pair % 2 == 0 { (first, second) } else { (second, first) };
        if pair >= WARM {
            ratios.push(free.0 / stressed.0);
            clock.push(free.1 / stressed.1);
            with.push(stressed.0 / 1e6);
            without.push(free.0 / 1e6);
        }
    }
    tell("with_ms", median(&with));
    tell("without_ms", median(&without));
    tell("ratio", median(&ratios));
    tell("clock_ratio", median(&clock));
    tell("updates", updates.len() as f64);
    tell("update_us", median(&updates));
    // Tearing it down is not what is looked at.
    std::mem::forget(runtime);
}

/// Replaces modules drawn at random until told to stop; microseconds of each.
fn replace(runtime: &Runtime, modules: &[(String, Source)], seed: usize, stop: &AtomicBool) -> Vec<f64> {
    let (started, mut times) = (Instant::now(), Vec::new());
    let mut random = seed as u64 * 2 + 1;
    while !stop.load(Ordering::Relaxed) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (name, source) = &modules[(random >> 33) as usize % modules.len()];
        let begun = Instant::now();
        runtime.replace(name, source.clone()).expect("a module replaces itself");
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        let next = Duration::from_secs(1) / RATE * times.len() as u32;
        std::thread::sleep(next.saturating_sub(started.elapsed()));
    }
    times
}

/// The interpreter, with what it writes in a file.
struct Lua {
    main: Function<Main>,
    words: Vec<CString>,
    output: File,
    expected: Option<Vec<u8>>,
    /// This process's own standard output and standard error.
    own: [OwnedFd; 2],
}

impl Lua {
    fn new(main: Function<Main>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/foundation/programs/work.lua");
        let word = |text: &str| CString::new(text).unwrap_or_default();
        let words = vec![word("program"), word(&script.to_string_lossy())];
        // SAFETY: new descriptors, which nobody else has.
        unsafe {
            let output = File::from_raw_fd(libc::memfd_create(c"output".as_ptr(), 0));
            let own = [1, 2].map(|standard| OwnedFd::from_raw_fd(libc::dup(standard)));
            Self { main, words, output, expected: None, own }
        }
    }

    /// Runs the script once; nanoseconds of processor time, and by the clock.
    fn turn(&mut self) -> (f64, f64) {
        let mut argv: Vec<*mut c_char> = self.words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        argv.push(std::ptr::null_mut());
        self.redirect([self.output.as_raw_fd(); 2]);
        let (started, clock) = (thread_time(), Instant::now());
        let failed = self.main.call(self.words.len() as i32, argv.as_mut_ptr());
        let took = (thread_time() - started, clock.elapsed().as_nanos() as f64);
        // SAFETY: writes out what C code has in its buffers.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        self.redirect([self.own[0].as_raw_fd(), self.own[1].as_raw_fd()]);
        assert_eq!(failed, 0, "the script failed");
        let mut text = Vec::new();
        let file = &mut self.output;
        file.rewind().and_then(|()| file.read_to_end(&mut text)).expect("a file in memory");
        file.rewind().and_then(|()| file.set_len(0)).expect("a file in memory");
        let expected = self.expected.get_or_insert_with(|| text.clone());
        assert!(*expected == text, "a turn wrote something else");
        took
    }

    /// Has standard output and standard error lead to these descriptors.
    fn redirect(&self, to: [i32; 2]) {
        for (from, standard) in to.into_iter().zip([1, 2]) {
            // SAFETY: all are open.
            unsafe { libc::dup2(from, standard) };
        }
    }
}
