//! The `hotslot` command from outside: exit codes, messages and what the program
//! sees, with a real clang and real programs.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory with source files, gone at the end of the test.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        Self { dir }
    }

    /// `hotslot` with these arguments, run here.
    fn hotslot(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
        command
            .args(args)
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        command
    }

    /// `hotslot run` with these arguments to its end.
    fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.hotslot(&["run"]).args(args))
    }

    /// Another program, which must succeed.
    fn tool(&self, program: &str, args: &[&str]) {
        let outcome = Outcome::of(Command::new(program).args(args).current_dir(&self.dir));
        assert_eq!(outcome.code(), 0, "{program} {args:?}: {outcome:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed lies in cargo's target directory, where it is no harm.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[derive(Debug)]
struct Outcome {
    output: Output,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }

    #[track_caller]
    fn code(&self) -> i32 {
        match self.output.status.code() {
            Some(code) => code,
            None => panic!("ended by a signal: {self:?}"),
        }
    }

    /// Ran to its end with this on stdout and nothing on stderr.
    #[track_caller]
    fn printed(&self, text: &str) {
        assert_eq!(
            (self.stderr.as_str(), self.stdout.as_str()),
            ("", text),
            "{:?}",
            self.output.status
        );
        assert_eq!(self.code(), 0);
    }

    /// Refused, with each of these lines on stderr and nothing on stdout.
    #[track_caller]
    fn refused(&self, lines: &[&str]) {
        assert_eq!(self.code(), 1, "{self:?}");
        assert_eq!(self.stdout, "");
        for line in lines {
            assert!(
                self.stderr.lines().any(|found| found == *line),
                "no line `{line}` in:\n{}",
                self.stderr
            );
        }
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            output,
        }
    }
}

const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";

// ---- usage ----

#[test]
fn no_file_is_a_usage_error() {
    let outcome = Place::new(&[]).run(&[]);
    outcome.refused(&["hotslot: the following required arguments were not provided:"]);
    assert!(outcome.stderr.contains("Usage: hotslot run"));
}

#[test]
fn help_and_version_succeed() {
    let place = Place::new(&[]);
    for (args, text) in [
        (&["--help"][..], "Usage: hotslot"),
        (&["run", "--help"], "--entry"),
        (&["doctor", "--help"], "--json"),
        (&["--version"], "hotslot 0."),
    ] {
        let outcome = Outcome::of(&mut place.hotslot(args));
        assert_eq!(outcome.code(), 0);
        assert!(outcome.stdout.contains(text), "{outcome:?}");
    }
    assert_eq!(Outcome::of(&mut place.hotslot(&[])).code(), 1);
}

#[test]
fn files_are_checked_by_name_before_any_work() {
    let place = Place::new(&[("a.c", HELLO), ("script.py", "")]);
    let outcome = place.run(&["a.c", "a.c", "script.py", "gone.c", "a"]);
    outcome.refused(&[
        "hotslot: a.c: given twice",
        "hotslot: script.py: unknown kind of file",
        "hotslot: gone.c: No such file or directory (os error 2)",
        "hotslot: a: unknown kind of file",
    ]);
    assert!(outcome.stderr.contains("hint: files end in .c"));
}

#[test]
fn wrong_values_are_named() {
    let place = Place::new(&[("a.c", HELLO)]);
    for (args, text) in [
        (&["-O4", "a.c"][..], "invalid value '4'"),
        (&["--calls", "both", "a.c"], "invalid value 'both'"),
        (&["--arena", "1T", "a.c"], "unknown unit `T`"),
        (&["--cflags", "'open", "a.c"], "--cflags: a ' is not closed"),
        (&["--nonsense", "a.c"], "'--nonsense'"),
    ] {
        let outcome = place.run(args);
        assert_eq!(outcome.code(), 1, "{outcome:?}");
        assert!(outcome.stderr.starts_with("hotslot: "), "{outcome:?}");
        assert!(outcome.stderr.contains(text), "{outcome:?}");
    }
}

// ---- the front end ----

#[test]
fn clangs_diagnostics_pass_through_in_order() {
    let place = Place::new(&[
        ("one.c", "int one(void) { return nowhere; }\n"),
        ("good.c", HELLO),
        ("two.c", "int two(void) { return missing; }\n"),
    ]);
    let outcome = place.run(&["one.c", "good.c", "two.c"]);
    outcome.refused(&[
        "one.c:1:24: error: use of undeclared identifier 'nowhere'",
        "two.c:1:24: error: use of undeclared identifier 'missing'",
        "hotslot: one.c: clang-19 failed (exit status: 1)",
        "hotslot: two.c: clang-19 failed (exit status: 1)",
    ]);
    let at = |text| outcome.stderr.find(text);
    assert!(at("nowhere") < at("missing"));
}

#[test]
fn warnings_do_not_stop_a_program() {
    let place = Place::new(&[("a.c", "#warning careful\nint main(void) { return 0; }\n")]);
    let outcome = place.run(&["a.c"]);
    assert_eq!(outcome.code(), 0);
    assert!(outcome.stderr.contains("careful"), "{outcome:?}");
}

#[test]
fn a_missing_compiler_comes_with_advice() {
    let place = Place::new(&[("a.c", HELLO), ("b.cc", "")]);
    let outcome = place.run(&["--cc", "no-such-cc", "a.c"]);
    outcome.refused(&[
        "hotslot: a.c: cannot start no-such-cc: No such file or directory (os error 2)",
    ]);
    assert!(outcome.stderr.contains("apt install clang-19"));
    let outcome = place.run(&["--cxx", "no-such-cxx", "b.cc"]);
    assert!(outcome.stderr.contains("--cxx"), "{outcome:?}");
}

#[test]
fn what_is_not_bitcode_is_refused() {
    let place = Place::new(&[("a.c", HELLO)]);
    place
        .run(&["--cc", "echo", "a.c"])
        .refused(&["hotslot: a.c: echo did not write LLVM bitcode"]);
}

#[test]
fn cflags_are_split_like_a_shell_does() {
    let place = Place::new(&[(
        "a.c",
        "#include <stdio.h>\nint main(void) { puts(TEXT); printf(\"%d\\n\", N); return 0; }\n",
    )]);
    let outcome = place.run(&["--cflags", r#"'-DTEXT="two words"' -DN=1"#, "a.c"]);
    outcome.printed("two words\n1\n");
    let outcome = place.run(&["--cflags", r#"-DTEXT=\"x\""#, "--cflags=-DN=2", "a.c"]);
    outcome.printed("x\n2\n");
}

#[test]
fn the_cpu_reaches_the_source() {
    let place = Place::new(&[(
        "a.c",
        "#ifndef __SSE4_2__\n#error no sse\n#endif\nint main(void) { return 0; }\n",
    )]);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(place.run(&["--cpu", "nehalem", "a.c"]).code(), 0);
    }
}

// ---- linking ----

#[test]
fn undefined_symbols_are_listed_with_who_wants_them() {
    let place = Place::new(&[
        ("a.c", "int foo(void);\nint main(void) { return foo(); }\n"),
        ("b.c", "extern int bar;\nint b(void) { return bar; }\n"),
    ]);
    place.run(&["a.c", "b.c"]).refused(&[
        "hotslot: undefined symbol: foo, wanted by a.c",
        "hotslot: undefined symbol: bar, wanted by b.c",
    ]);
}

#[test]
fn a_program_that_does_not_link_runs_no_constructor() {
    let place = Place::new(&[(
        "a.c",
        "#include <stdio.h>\nint foo(void);\n\
         __attribute__((constructor)) static void early(void) { puts(\"ran\"); fflush(stdout); }\n\
         int main(void) { return foo(); }\n",
    )]);
    place
        .run(&["a.c"])
        .refused(&["hotslot: undefined symbol: foo, wanted by a.c"]);
}

#[test]
fn multiple_definitions_are_listed() {
    let place = Place::new(&[
        (
            "a.c",
            "int foo(void) { return 1; }\nint main(void) { return foo(); }\n",
        ),
        ("b.c", "int foo(void) { return 2; }\n"),
    ]);
    place
        .run(&["a.c", "b.c"])
        .refused(&["hotslot: multiple definitions of foo: a.c and b.c"]);
}

#[test]
fn a_weak_definition_gives_way_quietly() {
    let place = Place::new(&[
        (
            "a.c",
            "__attribute__((weak)) int foo(void) { return 1; }\n\
             __attribute__((weak)) int nobody(void);\n\
             int main(void) { return nobody ? 9 : foo(); }\n",
        ),
        ("b.c", "int foo(void) { return 2; }\n"),
    ]);
    assert_eq!(place.run(&["a.c", "b.c"]).code(), 2);
}

#[test]
fn no_entry_says_what_to_do() {
    let place = Place::new(&[("a.c", "int start(void) { return 5; }\n")]);
    let outcome = place.run(&["a.c"]);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stderr.contains("--entry"), "{outcome:?}");
    assert_eq!(place.run(&["--entry", "start", "a.c"]).code(), 5);
}

#[test]
fn libraries_are_found_like_a_linker_finds_them() {
    let place = Place::new(&[
        (
            "main.c",
            "#include <stdio.h>\n#include <math.h>\nint foo(void);\nint bar(void);\n\
             int main(int n, char **v) { printf(\"%d %d %.0f\\n\", foo(), bar(), pow(n + 1, 10)); return 0; }\n",
        ),
        ("foo.c", "int foo(void) { return 1; }\n"),
        ("bar.c", "int bar(void) { return 2; }\n"),
        (
            "unused.c",
            "int nowhere(void);\nint unused(void) { return nowhere(); }\n",
        ),
    ]);
    place.tool(
        "clang-19",
        &["-fPIC", "-shared", "-o", "libfoo.so", "foo.c"],
    );
    place.tool("clang-19", &["-fPIC", "-c", "bar.c", "unused.c"]);
    place.tool("ar", &["rcs", "libbar.a", "bar.o", "unused.o"]);
    place
        .run(&["main.c", "-L", ".", "-lfoo", "-l", "bar", "-lm"])
        .printed("1 2 1024\n");
    // The archive by its name, of which only the member that is wanted comes in.
    place
        .run(&["main.c", "libbar.a", "-L.", "-lfoo"])
        .printed("1 2 1024\n");
    let outcome = place.run(&["main.c", "-lno-such-library"]);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stderr.contains("no-such-library"), "{outcome:?}");
}

// ---- running ----

#[test]
fn the_programs_exit_code_is_ours() {
    let place = Place::new(&[("a.c", "int main(void) { return 42; }\n")]);
    for level in ["-O0", "-O1", "-O2", "-O3"] {
        for calls in ["slot", "stub"] {
            assert_eq!(place.run(&[level, "--calls", calls, "a.c"]).code(), 42);
        }
    }
}

#[test]
fn a_program_of_many_files_in_both_call_forms() {
    let place = Place::new(&[
        (
            "main.c",
            "#include <stdio.h>\nint twice(int), count;\n\
             int main(void) { printf(\"%d %d\\n\", twice(21), count); return 0; }\n",
        ),
        (
            "twice.c",
            "extern int count;\nint twice(int x) { count++; return 2 * x; }\n",
        ),
    ]);
    for level in ["-O0", "-O2"] {
        for calls in ["slot", "stub"] {
            place
                .run(&[level, "--calls", calls, "main.c", "twice.c"])
                .printed("42 1\n");
        }
    }
}

const ECHO: &str = r#"
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv, char **envp) {
    for (int i = 0; i < argc; i++) printf("%d=%s\n", i, argv[i]);
    printf("end=%d env=%s envp=%d\n", argv[argc] == NULL, getenv("HOTSLOT_TEST"), envp[0] != NULL);
    char line[64];
    while (fgets(line, sizeof line, stdin)) printf("in=%s", line);
    return 0;
}
"#;

#[test]
fn the_program_sees_its_arguments_environment_and_input() {
    let place = Place::new(&[("echo.c", ECHO)]);
    let mut child = place
        .hotslot(&["run", "./echo.c", "--", "-x", "two words", "--"])
        .env("HOTSLOT_TEST", "here")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a\nb\n").unwrap();
    Outcome::from(child.wait_with_output().unwrap())
        .printed("0=./echo.c\n1=-x\n2=two words\n3=--\nend=1 env=here envp=1\nin=a\nin=b\n");
    let mut command = place.hotslot(&["run", "--argv0", "other", "echo.c"]);
    Outcome::of(command.env("HOTSLOT_TEST", "x")).printed("0=other\nend=1 env=x envp=1\n");
}

#[test]
fn arguments_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new(&[(
        "a.c",
        "int main(int n, char **v) { return (unsigned char)v[1][0]; }\n",
    )]);
    let mut command = place.hotslot(&["run", "a.c", "--"]);
    let outcome = Outcome::of(command.arg(OsStr::from_bytes(b"\xfe")));
    assert_eq!(outcome.code(), 0xfe);
}

const LEAVER: &str = r#"
#include <stdio.h>
#include <stdlib.h>
static void first(void) { puts("first"); }
static void second(void) { puts("second"); }
__attribute__((constructor)) static void constructed(void) { puts("constructor"); }
__attribute__((destructor)) static void destructed(void) { puts("destructor"); }
void leave(int code);
int main(void) {
    atexit(first);
    atexit(second);
    printf("no newline, ");
    leave(3);
    return 0;
}
"#;

#[test]
fn exit_from_a_nested_function_is_a_whole_exit() {
    let place = Place::new(&[
        ("main.c", LEAVER),
        (
            "leave.c",
            "#include <stdlib.h>\nvoid leave(int code) { exit(code); }\n",
        ),
    ]);
    let outcome = place.run(&["main.c", "leave.c"]);
    assert_eq!(outcome.code(), 3);
    assert_eq!(
        outcome.stdout,
        "constructor\nno newline, second\nfirst\ndestructor\n"
    );
}

#[test]
fn signals_end_the_program_as_they_do_natively() {
    let place = Place::new(&[
        (
            "abort.c",
            "#include <stdlib.h>\nint main(void) { abort(); }\n",
        ),
        (
            "fault.c",
            "int main(void) { *(volatile int *)8 = 1; return 0; }\n",
        ),
        (
            "raise.c",
            "#include <signal.h>\nint main(void) { raise(SIGTERM); return 0; }\n",
        ),
        (
            "deep.c",
            "int main(int n, char **v) { volatile char a[4096]; a[0] = n; return main(n + 1, v) + a[0]; }\n",
        ),
    ]);
    for (file, signal) in [
        ("abort.c", libc::SIGABRT),
        ("fault.c", libc::SIGSEGV),
        ("raise.c", libc::SIGTERM),
        ("deep.c", libc::SIGSEGV),
    ] {
        let outcome = place.run(&["-O0", file]);
        assert_eq!(outcome.output.status.signal(), Some(signal), "{outcome:?}");
        assert_eq!(outcome.stderr, "", "{file}");
    }
}

#[test]
fn a_closed_pipe_ends_the_program() {
    let place = Place::new(&[(
        "yes.c",
        "#include <stdio.h>\nint main(void) { for (;;) puts(\"y\"); }\n",
    )]);
    let mut child = place
        .hotslot(&["run", "yes.c"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGPIPE));
}

#[test]
fn pthread_exit_in_main_leaves_the_other_threads_running() {
    let place = Place::new(&[(
        "a.c",
        "#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\n\
         static void *work(void *x) { usleep(20000); puts(\"worked\"); return x; }\n\
         int main(void) { pthread_t t; pthread_create(&t, 0, work, 0); pthread_exit(0); }\n",
    )]);
    place.run(&["a.c"]).printed("worked\n");
}

const HELLO_CXX: &str = r#"
#include <iostream>
#include <stdexcept>
#include <string>
struct Loud { const char *name; ~Loud() { std::cout << "~" << name << std::endl; } };
static Loud global{"global"};
int parse(const std::string &text);
int main(int argc, char **argv) {
    std::cout << "hello " << parse("41") + 1 << std::endl;
    try { parse("x"); } catch (const std::invalid_argument &e) { std::cout << "caught" << std::endl; }
    if (argc > 1) parse("x");
    return 0;
}
"#;
const PARSE_CXX: &str =
    "#include <string>\nint parse(const std::string &t) { return std::stoi(t); }\n";

#[test]
fn cxx_with_iostream_and_exceptions() {
    let place = Place::new(&[("main.cpp", HELLO_CXX), ("parse.cc", PARSE_CXX)]);
    for level in ["-O0", "-O2"] {
        place
            .run(&[level, "main.cpp", "parse.cc"])
            .printed("hello 42\ncaught\n~global\n");
    }
}

#[test]
fn an_exception_nobody_catches_terminates() {
    let place = Place::new(&[("main.cxx", HELLO_CXX), ("parse.cc", PARSE_CXX)]);
    let outcome = place.run(&["main.cxx", "parse.cc", "--", "again"]);
    assert_eq!(outcome.output.status.signal(), Some(libc::SIGABRT));
    assert_eq!(outcome.stdout, "hello 42\ncaught\n");
    assert!(
        outcome.stderr.starts_with(
            "terminate called after throwing an instance of 'std::invalid_argument'\n  what():  stoi"
        ),
        "{outcome:?}"
    );
}

#[test]
fn every_kind_of_file_mixed() {
    let place = Place::new(&[
        (
            "main.c",
            "#include <stdio.h>\nint ir(int), bc(int), obj(int), lib(int);\n\
             int main(void) { printf(\"%d\\n\", ir(bc(obj(lib(1))))); return 0; }\n",
        ),
        (
            "ir.ll",
            "define i32 @ir(i32 %x) {\n  %y = add i32 %x, 1\n  ret i32 %y\n}\n",
        ),
        ("bc.c", "int bc(int x) { return x * 2; }\n"),
        ("obj.c", "int obj(int x) { return x + 3; }\n"),
        ("lib.c", "int lib(int x) { return x * 5; }\n"),
    ]);
    place.tool("clang-19", &["-O2", "-fPIC", "-emit-llvm", "-c", "bc.c"]);
    place.tool("gcc", &["-O2", "-fPIC", "-c", "obj.c"]);
    place.tool("clang-19", &["-O2", "-fPIC", "-c", "lib.c"]);
    place.tool("ar", &["rcs", "lib.a", "lib.o"]);
    // lib 5, obj 8, bc 16, ir 17
    place
        .run(&["main.c", "ir.ll", "bc.bc", "obj.o", "lib.a"])
        .printed("17\n");
}

#[test]
fn malformed_files_are_named() {
    let place = Place::new(&[
        ("bad.ll", "define i32 @f( {\n"),
        ("bad.bc", "not bitcode"),
        ("bad.o", "\x7fELF and no more"),
        ("bad.a", "!<arch>\nno archive"),
    ]);
    for file in ["bad.ll", "bad.bc", "bad.o", "bad.a"] {
        let outcome = place.run(&[file]);
        assert_eq!(outcome.code(), 1, "{outcome:?}");
        assert!(outcome.stderr.starts_with("hotslot: "), "{outcome:?}");
        assert!(outcome.stderr.contains(file), "{outcome:?}");
    }
}

// ---- --time, progress, doctor ----

#[test]
fn time_is_a_table_at_the_end_however_the_program_ends() {
    let place = Place::new(&[
        ("a.c", HELLO),
        (
            "exits.c",
            "#include <stdio.h>\n#include <stdlib.h>\n\
             static void last(void) { fputs(\"last\\n\", stderr); }\n\
             int main(void) { atexit(last); exit(6); }\n",
        ),
        (
            "quick.c",
            "#include <stdlib.h>\nint main(void) { quick_exit(7); }\n",
        ),
        (
            "forks.c",
            "#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
             int main(void) { if (fork() == 0) exit(0); wait(0); return 8; }\n",
        ),
    ]);
    for (file, code) in [("a.c", 0), ("exits.c", 6), ("quick.c", 7), ("forks.c", 8)] {
        let outcome = place.run(&["--time", file]);
        assert_eq!(outcome.code(), code, "{outcome:?}");
        let table = outcome.stderr.trim_start_matches("last\n");
        let phases: Vec<&str> = table
            .lines()
            .map(|line| line.split("  ").next().unwrap())
            .collect();
        assert_eq!(
            phases,
            [
                "phase",
                "front end",
                "parse",
                "optimise",
                "code generation",
                "link",
                "publish",
                "run",
                "total"
            ],
            "{file}"
        );
        for line in table.lines().skip(1) {
            assert!(line.ends_with(" ms"), "{line}");
        }
    }
    let outcome = place.run(&["--time", "a.c", "--entry", "nothing"]);
    assert_eq!(outcome.code(), 1);
    assert!(!outcome.stderr.contains("front end"), "{outcome:?}");
}

#[test]
fn a_pipe_sees_no_progress() {
    // A compiler that takes its time, longer than a terminal would be kept waiting.
    let place = Place::new(&[
        ("a.c", HELLO),
        ("slow", "#!/bin/sh\nsleep 0.6\nexec clang-19 \"$@\"\n"),
    ]);
    place.tool("chmod", &["+x", "slow"]);
    place.run(&["--cc", "./slow", "a.c"]).printed("hello\n");
}

#[test]
fn the_doctor_finds_this_machine_healthy() {
    let place = Place::new(&[]);
    let outcome = Outcome::of(&mut place.hotslot(&["doctor"]));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    for text in ["LLVM library", "clang version", "membarrier", "/proc"] {
        assert!(outcome.stdout.contains(text), "{outcome:?}");
    }
    let outcome = Outcome::of(&mut place.hotslot(&["doctor", "--json"]));
    assert_eq!(outcome.code(), 0);
    assert!(outcome.stdout.starts_with("{\n  \"ok\": true,"));
}

#[test]
fn the_doctor_says_what_to_install() {
    let place = Place::new(&[]);
    let outcome = Outcome::of(&mut place.hotslot(&["doctor", "--cc", "no-such-cc"]));
    assert_eq!(outcome.code(), 1);
    assert!(
        outcome.stdout.contains("MISSING  C compiler"),
        "{outcome:?}"
    );
    assert!(outcome.stdout.contains("apt install clang-19"));
    let mut command = place.hotslot(&["doctor", "--json", "--cxx", "gcc"]);
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stdout.contains("\"detail\": \"gcc is not a clang"));
}
