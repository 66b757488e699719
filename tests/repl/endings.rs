//! A session that is given what breaks others: faults of every kind, ends of the process, damage,
//! and text that is no C. After each the session has to answer, with its variables.
//!
//! `HOTSLOT_HOSTILE` is the number of inputs, `HOTSLOT_SEED` chooses others.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use fastrand::Rng;

/// How long an answer may take. Generous: it is for a session that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What an input may leave behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    /// The session and its variables.
    All,
    /// The definitions: the process may have ended.
    Definitions,
    /// All; it runs until it is interrupted.
    AllAfterCtrlC,
}
use Leaves::{All, AllAfterCtrlC, Definitions};

/// Faults and ends that code can cause; `N` is a random number.
const CODE: &[(&str, Leaves)] = &[
    ("*(volatile int *)0 = N;", All),
    ("*(volatile char *)N", All),
    ("*(volatile long *)0xffffffffff600000 = N;", All),
    ("*(volatile double *)0x4141414141414141 = 1;", All),
    ("((void (*)(void))0)();", All),
    ("((void (*)(void))N)();", All),
    ("((void (*)(void))0x4141414141414141)();", All),
    ("((int (*)(int))&kept)(N);", All),
    ("N / nought", All),
    ("N % nought", All),
    ("int_min / minus_one", All),
    ("deep(N);", All),
    ("({ char b[N << 12]; deep(b[0]); });", All),
    ("abort();", All),
    ("assert(N == 0);", All),
    ("exit(N);", All),
    ("_exit(N);", All),
    ("quick_exit(N);", All),
    ("__builtin_trap();", All),
    ("__builtin_unreachable();", Definitions),
    ("raise(SIGSEGV);", Definitions),
    ("raise(SIGFPE);", Definitions),
    ("raise(SIGABRT);", All),
    ("raise(SIGTERM);", Definitions),
    ("raise(SIGUSR1);", Definitions),
    ("raise(SIGPIPE);", Definitions),
    ("kill(getpid(), SIGKILL);", Definitions),
    ("pthread_exit(0);", Definitions),
    ("printf(\"%s\\n\", (char *)N);", All),
    ("strlen((char *)N)", All),
    ("memcpy((void *)N, &kept, 4);", All),
    ("memset((void *)0x1000, N, 1 << 20);", All),
    ("((char *)\"constant\")[0] = N;", All),
    ("*(int *)deep = N;", All),
    ("(char *)N", All),
    ("(struct pair *)N", All),
    ("*(struct pair *)N", All),
    ("free((void *)N);", Definitions),
    ("({ void *p = malloc(N); free(p); free(p); });", Definitions),
    ("asm volatile(\"ud2\");", All),
    ("asm volatile(\"int3\");", All),
    ("asm volatile(\"hlt\");", All),
    ("fork();", All),
    ("if (fork() == 0) abort();", All),
    ("sleep(1000);", AllAfterCtrlC),
    ("for (;;) nought += 0;", AllAfterCtrlC),
    ("for (;;) ;", AllAfterCtrlC),
    ("crash_N();", All),
    ("int crash_N(int x) { return *(int *)(long)x; }", All),
    ("crash_N(N);", All),
    ("int count_N = kept / nought;", All),
    ("struct pair { int a, b; long c_N; };", All),
    ("struct pair second = {N, 2};", All),
    ("second", All),
    (":undo", All),
    (":undo 1000000", All),
    (":reset", Definitions),
    (":drop deep_N", All),
    (":load /nowhere/N.c", All),
    (":load /proc/self/mem", All),
    (":save /nowhere/N.c", All),
    (":source N", All),
    (":time *(int *)N", All),
    (":bench N / nought", All),
    (":type *(int *)N + nothing", All),
    (":nonsense N", All),
    (":", All),
    ("int kept(void) { return N; } int kept;", All),
    ("int f_N(", All),
    ("typedef struct nowhere_N self; struct nowhere_N { self s; };", All),
    ("int huge_N[1L << 60];", All),
    ("_Static_assert(N == -1, \"no\");", All),
    ("#include <nowhere_N.h>", All),
    ("#error no", All),
    ("#define deep_N(x", All),
    ("int main(void) { return *(int *)0; }", All),
    ("main();", All),
    ("goto nowhere_N;", All),
    ("return N;", All),
    ("break;", All),
    ("int array_N[] = {N, N, N};", All),
    ("array_N[1 << 30]", All),
    ("array_N[nought / nought]", All),
    ("__hotslot_run();", All),
    ("extern int nobody_N(int); nobody_N(3);", All),
    ("extern int missing_N; missing_N = 3;", All),
    ("\u{0}", All),
    ("\u{1b}[2J\u{7}", All),
    ("é = 3; 変数", All),
];

/// Words of inputs that are no C at all. None that waits for more lines.
const WORDS: &[&str] = &[
    "int",
    "struct",
    "}",
    ")",
    "]",
    ";",
    ",",
    "*",
    "&",
    "=",
    "==",
    "+",
    "->",
    "...",
    "?",
    ":",
    "0x",
    "1e",
    "'a'",
    "\"s\"",
    "kept",
    "typedef",
    "static",
    "extern",
    "return",
    "while",
    "sizeof",
    "@",
    "$",
    "`",
    "\\x",
    "%",
    "#",
    "goto",
    "case",
    "void",
    "_Generic",
    "__attribute__",
    "asm",
    "<",
    ">",
    "~",
    "!",
];

fn input(random: &mut Rng, count: usize) -> (String, Leaves) {
    if random.u8(..10) < 3 {
        let words: Vec<&str> = (0..random.usize(1..12)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
        return (words.join(" "), All);
    }
    let (text, leaves) = CODE[count % CODE.len()];
    let number = [0, 1, 2, 7, 255, 4096, 65_537][random.usize(..7)];
    (text.replace('N', &number.to_string()), leaves)
}

struct Session {
    process: Child,
    pipe: ChildStdin,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Session {
    fn start() -> Self {
        let (ours, theirs) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotslot"));
        command.args(["repl", "--interactive", "--yes"]).stdin(Stdio::piped()).process_group(0);
        command.stdout(theirs.try_clone().unwrap()).stderr(theirs);
        let mut process = command.spawn().unwrap();
        drop(command);
        let pipe = process.stdin.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(ours).split(b'\n') {
                let Ok(line) = line else { return };
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { process, pipe, lines, seen: Vec::new() }
    }

    fn send(&mut self, text: &str) {
        let sent = self.pipe.write_all(text.as_bytes()).and_then(|()| self.pipe.write_all(b"\n"));
        sent.unwrap_or_else(|error| panic!("{error} after {:#?}", self.last()));
    }

    fn last(&self) -> &[String] {
        &self.seen[self.seen.len().saturating_sub(30)..]
    }

    /// The rest of the line that starts with `mark`.
    fn wait_for(&mut self, mark: &str, sent: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line);
                    let line = &self.seen[self.seen.len() - 1];
                    if let Some(at) = line.find(mark) {
                        return line[at + mark.len()..].to_owned();
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no answer after `{sent}`: {:#?}", self.last()),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended at `{sent}`: {:#?}", self.last()),
            }
        }
    }

    fn interrupt(&self) {
        #[allow(unsafe_code)]
        // SAFETY: the group of a child that has not been waited for.
        unsafe {
            libc::kill(-(self.process.id() as i32), libc::SIGINT);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        #[allow(unsafe_code)]
        // SAFETY: as above; all that is left of it ends.
        unsafe {
            libc::kill(-(self.process.id() as i32), libc::SIGKILL);
        }
        let _ = self.process.wait();
    }
}

#[test]
fn answers_after_each() {
    let number =
        |name: &str, otherwise| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (inputs, seed) = (number("HOTSLOT_HOSTILE", 120), number("HOTSLOT_SEED", 1));
    let mut random = Rng::with_seed(seed);
    let mut session = Session::start();
    for line in [
        "#include <assert.h>\n#include <pthread.h>\n#include <signal.h>\n#include <stdio.h>",
        "#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>",
        "setvbuf(stdout, 0, _IONBF, 0);",
        "int kept = 0;\nvolatile int nought = 0, minus_one = -1, int_min = -2147483647 - 1;",
        "int deep(volatile int n) { volatile int m = n; return deep(m + 1) + m; }",
        "struct pair { int a, b; };",
        "int answer(int n) { return n + 1000; }",
    ] {
        session.send(line);
    }
    let (mut expected, mut replaced) = (0, 0);
    let from = random.usize(..CODE.len());
    for count in 0..inputs as usize {
        let (text, leaves) = input(&mut random, from + count);
        if leaves == AllAfterCtrlC {
            // Whether it has begun cannot be seen, so the interrupt follows its own line.
            session.send("puts(\"\\nlooping\");");
            session.wait_for("looping", &text);
            session.send(&text);
            std::thread::sleep(Duration::from_millis(700));
            session.interrupt();
        } else {
            session.send(&text);
        }
        // Nothing goes on behind an empty line.
        session.send("");
        // A new process has no values; the variable's definition is back.
        session.send(&format!("kept++; printf(\"\\nalive %d %d \\n\", answer({count}), kept);"));
        let answer = session.wait_for(&format!("alive {} ", count + 1000), &text);
        let kept: i32 = answer.trim().parse().unwrap_or_else(|_| panic!("`{answer}` after `{text}`"));
        expected += 1;
        if kept != expected {
            assert!(leaves == Definitions, "`{text}` lost the variables: {:#?}", session.last());
            expected = kept;
            replaced += 1;
            session.send("setvbuf(stdout, 0, _IONBF, 0);");
        }
    }
    session.send(":quit");
    let status = session.process.wait().unwrap();
    assert!(status.code().is_some(), "{status}");
    println!("{inputs} inputs with seed {seed}: all answered, {replaced} times in a new process");
}
