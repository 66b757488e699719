//! Code that changes while gdb looks at it: the real gdb, in batch mode.
//!
//! The program that it runs is this test binary again, with `HOTSLOT_DEBUGGED` set to a folder of
//! sources.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hotslot::{OptLevel, Runtime, Source};

const FOLDER: &str = "HOTSLOT_DEBUGGED";

const FIRST: &str = "\
int g(int);
int f(int x) {
  int y = g(x) + 1;
  return y;
}
";

const SECOND: &str = "\
int g(int);
/* Not there before. */
static int more(int v) {
  return v * 100;
}
int f(int x) {
  int y = g(x) + more(x);
  int z = y + 7;
  return z;
}
";

const OTHER: &str = "\
void edit(void);
int calls;
int g(int x) {
  int g = x + calls; /* Its name is the function's. */
  calls++;
  if (calls == 1)
    edit();
  return g;
}
";

/// A third version, in which only `more` is another, and what is behind it has moved.
fn third() -> String {
    SECOND.replace("  return v * 100;\n", "  int w = v * 200;\n  return w;\n")
}

struct Program {
    runtime: Runtime,
    folder: PathBuf,
}

static PROGRAM: OnceLock<Program> = OnceLock::new();

impl Program {
    fn source(&self, name: &str) -> Source {
        bitcode(&self.folder, name)
    }

    fn write(&self, name: &str, text: &str) -> Source {
        std::fs::write(self.folder.join(name), text).unwrap();
        self.source(name)
    }

    fn f(&self, x: i32) -> i32 {
        // SAFETY: it has this type in every version.
        unsafe { self.runtime.function::<extern "C" fn(i32) -> i32>("f") }.unwrap().call(x)
    }
}

fn bitcode(folder: &Path, name: &str) -> Source {
    let to = Path::new(name).with_extension("bc");
    let mut command = Command::new("clang-19");
    command.args(["-g", "-O0", "-emit-llvm", "-c", name, "-o"]).arg(&to).current_dir(folder);
    assert!(command.status().unwrap().success());
    Source::from_path(folder.join(to)).unwrap().trusted().label(name)
}

extern "C" fn edit() {
    let program = PROGRAM.get().unwrap();
    program.runtime.replace("m.c", program.write("m.c", SECOND)).unwrap();
    println!("inner {}", program.f(40));
}

/// What gdb runs; by itself it does nothing.
#[test]
fn the_program() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime =
        Runtime::builder().arena_size(64 << 20).debugger(true).opt_level(OptLevel::O0).build().unwrap();
    let program = PROGRAM.get_or_init(|| Program { runtime, folder: folder.into() });
    // SAFETY: modules declare it with this type.
    unsafe { program.runtime.define_function("edit", edit as *const std::ffi::c_void) }.unwrap();
    let mut update = program.runtime.update();
    update.load("m.c", program.source("m.c")).load("n.c", program.source("n.c"));
    update.commit().unwrap();
    println!("outer {}", program.f(1));
    println!("again {}", program.f(2));
    let report = program.runtime.replace("m.c", program.write("m.c", &third())).unwrap();
    println!("third {:?}", report.modules[0].changed_functions);
    println!("third {}", program.f(3));
    program.runtime.reclaim();
    println!("end {}", program.f(4));
}

/// What gdb says when it runs the program and these commands; `None` where it may not.
fn gdb(program: &mut Command, folder: &Path, commands: &str) -> Option<String> {
    let head = "set confirm off\nset pagination off\nset width 0\nset debuginfod enabled off\n\
                set breakpoint pending on\n";
    std::fs::write(folder.join("commands"), format!("{head}{commands}\n")).unwrap();
    let mut gdb = Command::new("timeout");
    gdb.args(["120", "gdb", "-nx", "-batch", "-x", "commands", "--args"]).arg(program.get_program());
    gdb.args(program.get_args()).current_dir(folder);
    gdb.env("HOTSLOT_CACHE_DIR", "none").env(FOLDER, folder);
    let output = gdb.output().expect("gdb is installed");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let is_forbidden = ["ptrace: Operation not permitted", "Could not trace the inferior process"];
    if is_forbidden.iter().any(|sign| text.contains(sign)) {
        eprintln!("skipped: gdb may not trace programs here");
        return None;
    }
    Some(text)
}

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("debugger-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    folder
}

fn this_program() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_program", "--exact", "--nocapture", "--test-threads=1"]);
    command
}

/// All of `parts` are in `text`, in this order.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => panic!("no `{part}` there, or not in this order, in:\n{text}"),
        }
    }
}

#[test]
fn breakpoints_and_backtraces_follow_a_swap() {
    let folder = folder("swap", &[("m.c", FIRST), ("n.c", OTHER)]);
    let commands = "\
break m.c:9
run
echo [frames]\\n
bt
info locals
echo [up]\\n
frame function f
delete
tbreak m.c:7
continue
echo [step]\\n
step
info args
info locals
finish
echo [next]\\n
next
info locals
tbreak more
continue
echo [third]\\n
bt 2
tbreak m.c:10
continue
info locals
print calls
continue";
    let Some(text) = gdb(&mut this_program(), &folder, commands) else { return };
    // New code, called while old code is active.
    in_order(&text, &["[frames]", "f@v2 (x=40) at m.c:9", " in g@v1 (x=1) at n.c:7", "f@v1 (x=1) at m.c:3"]);
    in_order(&text, &["[frames]", "y = 4041", "z = 4048", "[up]", "inner 4048", "outer 2"]);
    // Through a slot into another module, and over it.
    in_order(&text, &["f@v2 (x=2) at m.c:7", "[step]", "g@v1 (x=2) at n.c:4", "x = 2", "g = "]);
    in_order(&text, &["[next]", "8\t  int z = y + 7;", "y = 204", "again 211"]);
    // What has only moved is where it is now.
    in_order(
        &text,
        &["third [\"f\", \"more\"]", "[third]", "#0  more@v3 (v=3) at m.c:4", "f@v3 (x=3) at m.c:8"],
    );
    in_order(&text, &["[third]", "f@v3 (x=3) at m.c:10", "z = 613", "third 613", "end 815"]);
}

const CXX: &str = "\
#include <cstdio>
#include <stdexcept>
#include <vector>
namespace world {
struct Thing {
  int size;
  explicit Thing(int size) : size(size) {}
  int weigh(int by) const {
    int weight = size * by;
    if (weight > 100)
      throw std::runtime_error(\"heavy\");
    return weight;
  }
};
template <class T> T twice(T what) { return what + what; }
}
int sum(const std::vector<int> &all) {
  int result = 0;
  for (int one : all)
    result += world::twice(one);
  return result;
}
int main(int argc, char **argv) {
  world::Thing thing(argc * 10);
  int light = thing.weigh(3);
  std::vector<int> numbers = {1, 2, light};
  try {
    thing.weigh(sum(numbers));
  } catch (const std::exception &error) {
    std::puts(error.what());
  }
  return 0;
}
";

#[test]
fn programs_of_cxx_are_debugged_under_hotslot_run() {
    for dwarf in ["-g", "-gdwarf-4"] {
        let folder = folder(&format!("cxx{dwarf}"), &[("main.cpp", CXX)]);
        let mut program = Command::new(env!("CARGO_BIN_EXE_hotslot"));
        program.args(["run", "-O0", "--debug", "--cflags", dwarf, "main.cpp"]);
        let commands = "\
break main.cpp:26
break world::Thing::weigh
break sum
run
echo [weigh]\\n
bt 2
print *this
finish
continue
echo [main]\\n
info locals
continue
echo [sum]\\n
bt
tbreak world::twice<int>
continue
bt 1
delete
continue";
        let Some(text) = gdb(&mut program, &folder, commands) else { return };
        in_order(&text, &["[weigh]", "#0  world::Thing::weigh(int) const@v1 (this=", "by=3) at main.cpp:9"]);
        in_order(&text, &["[weigh]", "main@v1", "at main.cpp:25", "{size = 10}", "$2 = 30"]);
        in_order(&text, &["[main]", "thing = {size = 10}", "light = 30", "[sum]", "sum(", "@v1 (all="]);
        in_order(&text, &["[sum]", "twice<int>(int)@v1 (what=1) at main.cpp:15", "heavy", "exited normally"]);
    }
}
