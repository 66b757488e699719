//! What profilers are told: the files, read as perf reads them, and perf itself where it may run.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::path::{Path, PathBuf};
use std::process::Command;

use hotslot::{Profiler, Runtime, Source};

fn module(value: i32) -> Source {
    Source::ir(format!("define i32 @value() {{ ret i32 {value} }} define i32 @same() {{ ret i32 0 }}"))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("profiler-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn value(rt: &Runtime) -> i32 {
    // SAFETY: it has this type in every version.
    unsafe { rt.function::<extern "C" fn() -> i32>("value") }.unwrap().call()
}

#[test]
fn the_map_names_functions_with_their_generation() {
    let build = || {
        let builder = Runtime::builder().arena_size(16 << 20).tiered(false).profiler(Profiler::PerfMap);
        builder.build().unwrap()
    };
    let rt = build();
    rt.load("m", module(1)).unwrap();
    rt.replace("m", module(2)).unwrap();
    // A second runtime adds to the file, it does not begin it anew.
    let other = build();
    other.load("other", module(7)).unwrap();
    assert_eq!((value(&rt), value(&other)), (2, 7));
    let path = format!("/tmp/perf-{}.map", std::process::id());
    let text = std::fs::read_to_string(&path).unwrap();
    let mut names = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next().unwrap(), 16).unwrap();
        let (address, size) = (number(), number());
        let name = words.next().unwrap();
        assert!(address > 0 && size > 0, "{line}");
        if name.starts_with("value") {
            // SAFETY: the code is there still, and of this type.
            let code = unsafe { std::mem::transmute::<u64, extern "C" fn() -> i32>(address) };
            let expected = [("m v1]", 1), ("m v2]", 2), ("other v1]", 7)];
            let expected = expected.iter().find(|(end, _)| name.ends_with(end)).unwrap();
            assert_eq!(code(), expected.1, "{line}");
        }
        names.push(name);
    }
    let expected = [
        "[hotslot stubs]",
        "value [m v1]",
        "same [m v1]",
        "value [m v2]",
        "[hotslot stubs]",
        "value [other v1]",
        "same [other v1]",
    ];
    assert_eq!(names, expected);
    std::fs::remove_file(&path).unwrap();
}

/// A function of a jitdump: number, address, code, name, and lines with their files.
#[derive(Debug)]
struct Loaded {
    number: u64,
    address: u64,
    code: Vec<u8>,
    name: String,
    lines: Vec<(u64, u32, String)>,
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn u32(&mut self) -> u32 {
        let (word, rest) = self.0.split_first_chunk().expect("four bytes");
        self.0 = rest;
        u32::from_le_bytes(*word)
    }

    fn u64(&mut self) -> u64 {
        u64::from(self.u32()) | u64::from(self.u32()) << 32
    }

    fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).expect("a terminator");
        let text = String::from_utf8(self.0[..end].to_vec()).unwrap();
        self.0 = &self.0[end + 1..];
        text
    }
}

/// Reads a jitdump by its specification.
fn read(bytes: &[u8], process: u32) -> Vec<Loaded> {
    let mut header = Reader(bytes);
    assert_eq!([header.u32(), header.u32(), header.u32()], [0x4a69_5444, 1, 40]);
    assert_eq!([header.u32(), header.u32(), header.u32()], [62, 0, process]);
    let (mut time, flags) = (header.u64(), header.u64());
    assert_eq!(flags, 0);
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    let mut rest = &bytes[40..];
    while !rest.is_empty() {
        let mut record = Reader(rest);
        let (kind, length, when) = (record.u32(), record.u32(), record.u64());
        assert!(when >= time, "times go forwards");
        time = when;
        let (this, next) = rest.split_at(length as usize);
        let mut record = Reader(&this[16..]);
        rest = next;
        match kind {
            0 => {
                assert_eq!(record.u32(), process);
                let _thread = record.u32();
                let (memory, address, size) = (record.u64(), record.u64(), record.u64());
                assert_eq!(memory, address);
                let (number, name) = (record.u64(), record.text());
                let code = record.0.to_vec();
                assert_eq!(code.len() as u64, size);
                all.push(Loaded { number, address, code, name, lines: std::mem::take(&mut lines) });
            }
            2 => {
                let (_address, count) = (record.u64(), record.u64());
                for _ in 0..count {
                    let (address, line, _) = (record.u64(), record.u32(), record.u32());
                    lines.push((address, line, record.text()));
                }
                assert!(record.0.is_empty());
            }
            other => panic!("record of kind {other}"),
        }
    }
    all
}

#[test]
fn the_dump_has_code_and_lines() {
    let folder = folder("dump");
    let bitcode = |text: &str| {
        std::fs::write(folder.join("d.c"), text).unwrap();
        let mut clang = Command::new("clang-19");
        clang.args(["-g", "-O1", "-emit-llvm", "-c", "d.c", "-o", "d.bc"]).current_dir(&folder);
        assert!(clang.status().unwrap().success());
        Source::from_path(folder.join("d.bc")).unwrap().trusted()
    };
    let builder = Runtime::builder().arena_size(16 << 20).tiered(false);
    let rt = builder.profiler(Profiler::JitDump(folder.clone())).build().unwrap();
    rt.load("d.c", bitcode("int value(void) {\n  return 1;\n}\nint same(void) { return 0; }\n")).unwrap();
    rt.replace("d.c", bitcode("int value(void) {\n\n\n  return 2;\n}\nint same(void) { return 0; }\n"))
        .unwrap();
    assert_eq!(value(&rt), 2);
    let process = std::process::id();
    let bytes = std::fs::read(folder.join(format!("jit-{process}.dump"))).unwrap();
    let all = read(&bytes, process);
    let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["value [d.c v1]", "same [d.c v1]", "value [d.c v2]"]);
    for (at, one) in all.iter().enumerate() {
        assert_eq!(one.number, at as u64);
        // SAFETY: the code is there still.
        let there = unsafe { std::slice::from_raw_parts(one.address as *const u8, one.code.len()) };
        assert_eq!(one.code, there, "{}", one.name);
        let range = one.address..one.address + one.code.len() as u64;
        assert!(one.lines.iter().all(|(address, ..)| range.contains(address)), "{one:?}");
        let file = folder.join("d.c").display().to_string();
        assert!(one.lines.iter().all(|(.., name)| *name == file), "{one:?}");
    }
    let lines = |at: usize| all[at].lines.iter().map(|(_, line, _)| *line).collect::<Vec<_>>();
    assert!(lines(0).contains(&2) && lines(1).contains(&4) && lines(2).contains(&4), "{all:?}");
    // perf finds the file by a mapping that may be executed.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let dump = format!("jit-{process}.dump");
    assert!(maps.lines().any(|line| line.contains(&dump) && line.contains("r-x")), "{maps}");
}

#[test]
fn files_that_cannot_be_written_are_named() {
    let error = Runtime::builder().profiler(Profiler::JitDump("/nowhere".into())).build().unwrap_err();
    assert!(error.to_string().contains("cannot write /nowhere/jit-"), "{error}");
}

const HOT: &str = "\
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) int inner(int x) {
  int sum = 0;
  for (int i = 0; i < x; i++)
    sum += i * x ^ sum;
  return sum;
}
int main(void) {
  int total = 0, status = 0;
  int child = fork();
  for (int i = 0; i < 15000; i++)
    total += inner(20000 + total % 3);
  if (child == 0)
    return total == 0;
  waitpid(child, &status, 0);
  printf(\"%d\\n\", status);
  return 0;
}
";

/// `perf` with these arguments; `None` where it may not look at processes.
fn perf(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("perf");
    command.args(arguments).current_dir(folder).env("HOTSLOT_CACHE_DIR", "none").env("JITDUMPDIR", folder);
    let output = command.output().expect("perf is installed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let signs = ["perf_event_paranoid", "No permission", "not supported", "Operation not permitted"];
        assert!(signs.iter().any(|sign| said.contains(sign)), "{said}");
        eprintln!("skipped: perf may not look at processes here");
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn perf_names_functions() {
    let hotslot = env!("CARGO_BIN_EXE_hotslot");
    for form in ["map", "jitdump"] {
        let folder = folder(form);
        std::fs::write(folder.join("hot.c"), HOT).unwrap();
        let form = format!("--perf={form}");
        // Its module is replaced meanwhile, and its child keeps the code it has.
        let run = [hotslot, "run", &form, "--stress", "20", "hot.c"];
        let record = ["record", "-q", "-k", "mono", "-e", "cpu-clock", "-o", "first.data"];
        let Some(printed) = perf(&folder, &[&record[..], &run].concat()) else { return };
        assert_eq!(printed, "0\n");
        let mut data = "first.data";
        if form.ends_with("jitdump") {
            perf(&folder, &["inject", "--jit", "-i", data, "-o", "second.data"]).unwrap();
            data = "second.data";
        }
        let report = perf(&folder, &["report", "--stdio", "--comm", "hotslot", "-i", data]).unwrap();
        assert!(report.contains("] inner [hot.c v"), "{report}");
    }
}
