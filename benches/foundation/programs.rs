//! Whole programs under `hotslot run`, against the same program built by clang -O2.
//!
//! Lua runs a script of mixed work (`programs/work.lua`), zstd compresses and decompresses
//! at three levels, as in the tests. Both builds contain the same `main` (`programs/clock.c`),
//! which runs the program's own whenever it is told to and prints the processor time that
//! took: what loading and compiling cost is not in it, everything the program does is. All
//! processes of a set are loaded first; then each runs the work in turn, over and over. The
//! ratio is the median over all turns of hotslot's time to the native one's in the same
//! turn, without the first turns, which find cold caches. Each set sees other addresses.
//!
//! Three ways in: bitcode of clang's front end, which hotslot compiles, in both forms of
//! calls, and finished objects (-fPIC -fno-plt), which it only links.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;

use crate::common::build::{self, CLANG, FileSet, Form, Variant};
use crate::common::programs::{self, Program};
use crate::report::Row;
use crate::rounds::median;

const BITCODE: Variant = Variant {
    name: "bench_bitcode",
    // What `hotslot run` itself asks of clang for a C file.
    forms: &[Form::Bitcode("-O2 -fPIC -fsemantic-interposition -Xclang -disable-llvm-passes")],
    lighter: false,
};
const OBJECTS: Variant =
    Variant { name: "bench_objects", forms: &[Form::Object(CLANG, "-O2 -fPIC -fno-plt")], lighter: false };

/// Sets of processes, and how often each process runs the program's main.
const SETS: usize = 3;
const TURNS: usize = 10;
/// Turns of a process that are not kept.
const WARM: usize = 2;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/foundation/programs");
    let script = own.join("work.lua").display().to_string();
    let mut rows = Vec::new();
    for (title, mut program, arguments) in [
        ("Lua", programs::lua54(), vec![script]),
        ("zstd", programs::zstd(), ["1", "3", "9"].map(str::to_owned).to_vec()),
    ] {
        program.name = if title == "Lua" { "bench_lua" } else { "bench_zstd" };
        program.sources.push(own.join("clock.c"));
        program.defines = match title {
            "Lua" => &["LUA_USE_LINUX", "main=program_main"],
            _ => &["ZSTD_DISABLE_ASM", "main=program_main"],
        };
        program.own_dir.clone_from(&own);
        rows.extend(compare(title, &program, &arguments));
    }
    rows
}

fn compare(title: &str, program: &Program, arguments: &[String]) -> Vec<Row> {
    let native = build::reference(program);
    let bitcode = build::file_set(program, &BITCODE);
    let objects = build::file_set(program, &OBJECTS);
    let mut ways = [
        ("native", command(&native, &[], arguments)),
        ("bitcode, slots", hotslot(program, &bitcode, "slot", arguments)),
        ("bitcode, stubs", hotslot(program, &bitcode, "stub", arguments)),
        ("objects, slots", hotslot(program, &objects, "slot", arguments)),
    ];
    let mut times = vec![Vec::new(); ways.len()];
    let mut outputs = vec![Vec::new(); ways.len()];
    for _ in 0..SETS {
        let mut running: Vec<Running> = ways.iter_mut().map(|way| Running::start(&mut way.1)).collect();
        // One after the other, and all loaded before the first turn.
        running.iter_mut().for_each(|process| drop(process.wait_for("ready")));
        for turn in 0..TURNS {
            for (process, times) in running.iter_mut().zip(&mut times) {
                let took = process.turn();
                if turn >= WARM {
                    times.push(took);
                }
            }
        }
        for (process, output) in running.into_iter().zip(&mut outputs) {
            *output = process.end();
        }
    }
    let medians: Vec<f64> = times.iter().map(|times| median(times) * 1e3).collect();
    let ratio = |index: usize| {
        let pairs = times[index].iter().zip(&times[0]);
        median(&pairs.map(|(ours, native)| ours / native).collect::<Vec<f64>>())
    };
    let row = |index: usize| {
        assert!(outputs[index] == outputs[0], "{title} wrote something else under hotslot");
        let (ours, ratio) = (medians[index], ratio(index));
        Row::reported(
            format!("{title}, whole run, {}, against clang -O2", ways[index].0),
            format!("{ours:.1} ms against {:.1} ms: {ratio:.3}x", medians[0]),
        )
        .number("hotslot_ms", ours)
        .number("native_ms", medians[0])
        .number("ratio", ratio)
    };
    vec![row(1).target("<= 1.03x", ratio(1) <= 1.03), row(2), row(3)]
}

fn hotslot(program: &Program, set: &FileSet, calls: &str, arguments: &[String]) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_hotslot"));
    let mut before = vec!["run".into(), "--cache".into(), "none".into()];
    before.extend(["--argv0".into(), "program".into()]);
    before.extend(["--calls".into(), calls.into(), set.level.into()]);
    before.extend(program.libs.iter().flat_map(|lib| ["-l".into(), PathBuf::from(lib)]));
    before.extend(set.files.iter().cloned());
    before.push("--".into());
    command(binary, &before, arguments)
}

fn command(binary: &Path, before: &[PathBuf], arguments: &[String]) -> Command {
    let mut command = Command::new(binary);
    command.args(before).args(arguments).arg0("program");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process that waits to be told to do its work.
struct Running {
    child: Child,
    go: ChildStdin,
    lines: Lines<BufReader<ChildStderr>>,
    output: JoinHandle<Vec<u8>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let go = child.stdin.take().expect("it is piped");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut stdout = child.stdout.take().expect("it is piped");
        let output = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What is cut short differs from what the others wrote.
            let _ = stdout.read_to_end(&mut bytes);
            bytes
        });
        Self { child, go, lines, output }
    }

    /// Waits for a line that starts like this and returns the rest of it.
    fn wait_for(&mut self, start: &str) -> String {
        let mut other = String::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
            other += &line;
            other.push('\n');
        }
        panic!("a measured program ended before its time:\n{other}");
    }

    /// The seconds that one turn of work takes.
    fn turn(&mut self) -> f64 {
        self.go.write_all(b"1").expect("it waits for this");
        self.wait_for("turn").parse().expect("a number")
    }

    /// Lets the process end and returns what it wrote.
    fn end(mut self) -> Vec<u8> {
        drop(self.go);
        let status = self.child.wait().expect("our own child");
        assert!(status.success(), "a measured program ended with {status}");
        self.output.join().expect("it only reads")
    }
}
