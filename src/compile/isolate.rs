//! Compiling in a child process what may be damaged.
//!
//! LLVM's readers trust their input: of bitcode files with a few bits flipped, one in
//! fifty made LLVM 19 crash, run out of memory or loop. Owns the child: what it inherits,
//! its limits, its deadline and its answer. Deliberately knows nothing of what compiling is.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io::{Error as OsError, ErrorKind as OsErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use inkwell::llvm_sys::error_handling::LLVMInstallFatalErrorHandler;
use parking_lot::RwLock;

use super::child::{Child, PIPE, settle_descriptors};
use super::emit::{self, Goal, Progress};
use super::{CompileOptions, Compiled, Source, machine, wire};
use crate::error::{Error, ErrorKind, Result};

/// How long a child may go without a sign of life. Optimising a module gives none, so a
/// large one gets more: [`PATIENCE_PER_MIB`].
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_PER_MIB: Duration = Duration::from_secs(60);
/// How often a child gives one at most.
const BEAT: Duration = Duration::from_secs(1);
/// How much more memory a child may use than the host does, in bytes.
const MEMORY: u64 = 4 << 30;

/// What a child sends before its answer: the module was read; it is still at work; the
/// answer follows.
const READ: u8 = b'r';
const ALIVE: u8 = b'.';
const ANSWER: u8 = b'=';

/// How a child ends that could not arrange its descriptors.
const NOT_STARTED: c_int = 71;

/// In the child: whether the module was read.
static WAS_READ: AtomicBool = AtomicBool::new(false);

/// Held for reading while LLVM runs in this process, for writing while it forks: a child
/// never inherits a lock inside LLVM that another of our threads holds.
static LLVM: RwLock<()> = RwLock::new(());

pub(super) fn in_process(source: &Source, options: &CompileOptions, goal: Goal<'_>) -> Result<Compiled> {
    let _running = LLVM.read();
    emit::compile(source, options, goal, &|_| {})
}

pub(super) fn in_child(source: &Source, options: &CompileOptions, goal: Goal<'_>) -> Result<Compiled> {
    let patience = PATIENCE + PATIENCE_PER_MIB * (source.bytes().len() >> 20) as u32;
    let work = |progress: &dyn Fn(Progress)| emit::compile(source, options, goal, progress);
    {
        let _running = LLVM.read();
        machine::warm(options)?;
    }
    run(patience, &work)
}

/// What a child is to do.
pub(super) type Work<'w> = dyn Fn(&dyn Fn(Progress)) -> Result<Compiled> + 'w;

/// Does `work` in a child process and waits for it; the child has ended when this returns.
pub(super) fn run(patience: Duration, work: &Work<'_>) -> Result<Compiled> {
    let (child, mut pipe) = fork(work)?;
    let mut heard = Heard::default();
    let late = !heard.listen(&mut pipe, patience);
    let status = if late { child.kill() } else { child.wait() };
    heard.answer().and_then(wire::decode).unwrap_or_else(|| Err(lost(&heard, late, patience, status)))
}

/// Starts the child; returns its number and the end of the pipe to listen at.
///
/// Handlers that the host or generated code registered with `pthread_atfork` run, as in
/// any fork, in both processes. They find every signal blocked and [`LLVM`] locked: one
/// that compiles a module would wait for itself.
fn fork(work: &Work<'_>) -> Result<(Child, File)> {
    // The pipe is opened under the lock too: the child of another thread would keep its
    // end open, and the end of this child would go unnoticed.
    let _quiet = LLVM.write();
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(refused("open a pipe", &OsError::last_os_error()));
    }
    // SAFETY: both were just opened and belong to nobody else.
    let (listening, speaking) = unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) };
    // SAFETY: signals stay blocked until the child has taken the host's handlers away. Of
    // the host's code only its fork handlers run in the child, inside `fork`, which they
    // were written for. They cannot be left out by a bare system call: malloc's locks are
    // put right the same way. From then on the child runs nothing but our code and LLVM,
    // takes no lock that another thread may have held (malloc's are looked after by the C
    // library, LLVM's by `LLVM`), and never returns from here.
    unsafe {
        let mut every = std::mem::zeroed::<libc::sigset_t>();
        let mut before = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&mut every);
        libc::pthread_sigmask(libc::SIG_SETMASK, &every, &mut before);
        let child = libc::fork();
        if child == 0 {
            live(speaking.into_raw_fd(), work);
        }
        let error = OsError::last_os_error();
        let child = (child > 0).then(|| Child::new(child));
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        let child = child.ok_or_else(|| refused("start a process", &error))?;
        Ok((child, listening))
    }
}

fn refused(what: &str, error: &OsError) -> Error {
    Error::new(ErrorKind::Host, format!("cannot {what} to compile the module in: {error}"))
        .hint("mark the source as trusted to compile it in this process")
}

/// The life of the child.
///
/// # Safety
/// Called once, first of all, in a process just forked, with a descriptor it owns.
unsafe fn live(pipe: c_int, work: &Work<'_>) -> ! {
    // SAFETY: system calls with integers and pointers to locals, in a process of one
    // thread that owns all its descriptors and runs no code of the host's any more.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        for signal in 1..32 {
            // An interrupt from the terminal is for the host to answer.
            let ignored =
                matches!(signal, libc::SIGINT | libc::SIGQUIT | libc::SIGHUP | libc::SIGTSTP | libc::SIGPIPE);
            libc::signal(signal, if ignored { libc::SIG_IGN } else { libc::SIG_DFL });
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        if !settle_descriptors(pipe) {
            libc::_exit(NOT_STARTED);
        }
        let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &no_core);
        let limit = address_space().saturating_add(MEMORY);
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        libc::setrlimit(libc::RLIMIT_AS, &limit);
        LLVMInstallFatalErrorHandler(Some(fatal));
    }
    let last = Cell::new(Instant::now());
    let progress = |progress| match progress {
        Progress::Read => {
            WAS_READ.store(true, Ordering::Relaxed);
            send(&[READ]);
        }
        Progress::Alive if last.get().elapsed() >= BEAT => {
            last.set(Instant::now());
            send(&[ALIVE]);
        }
        Progress::Alive => {}
    };
    // A panic must not unwind into the host's frames, of which this process has a copy.
    let result = catch_unwind(AssertUnwindSafe(|| work(&progress)));
    let result = result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Compile, "the compile stage panicked")));
    finish(&result)
}

/// Sends the answer and ends the child without running the host's exit handlers.
fn finish(result: &Result<Compiled>) -> ! {
    send(&[ANSWER]);
    send(&wire::encode(result.as_ref()));
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(0) }
}

fn send(bytes: &[u8]) {
    // SAFETY: the child's pipe, open until it ends; the file does not close it.
    let mut pipe = unsafe { std::mem::ManuallyDrop::new(File::from_raw_fd(PIPE)) };
    // When nobody listens there is nobody to tell, and the child is killed.
    let _ = pipe.write_all(bytes);
}

/// What to do about bitcode that LLVM cannot read.
pub(super) const UNREADABLE: &str =
    "it may be truncated or damaged, or written by a newer LLVM than hotslot's: produce it again";

/// LLVM calls this where it would otherwise end the process through `exit`.
extern "C" fn fatal(reason: *const c_char) {
    // SAFETY: LLVM passes a C string.
    let reason = unsafe { CStr::from_ptr(reason) }.to_string_lossy().into_owned();
    let reason = reason.trim();
    let error = if WAS_READ.load(Ordering::Relaxed) {
        Error::new(ErrorKind::Compile, format!("LLVM cannot compile the module: {reason}"))
    } else {
        Error::new(ErrorKind::Parse, format!("cannot read the module: {reason}"))
    };
    finish(&Err(error))
}

/// Bytes of address space in use.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = pages.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1 << 24);
    // SAFETY: asks for a number.
    pages.saturating_mul(u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096))
}

/// What came through the pipe.
#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
}

impl Heard {
    /// Reads to the end; false when nothing comes for as long as `patience`.
    fn listen(&mut self, pipe: &mut File, patience: Duration) -> bool {
        let mut chunk = vec![0; 1 << 16];
        let mut deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut poll = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            let milliseconds = left.as_millis().min(i32::MAX as u128) as i32;
            // SAFETY: one valid pollfd.
            if unsafe { libc::poll(&mut poll, 1, milliseconds) } <= 0 {
                if Instant::now() >= deadline {
                    return false;
                }
                continue;
            }
            match pipe.read(&mut chunk) {
                Ok(0) => return true,
                Ok(n) => {
                    self.bytes.extend_from_slice(&chunk[..n]);
                    deadline = Instant::now() + patience;
                }
                Err(e) if e.kind() == OsErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    fn answer(&self) -> Option<&[u8]> {
        let at = self.bytes.iter().position(|&b| b == ANSWER)?;
        Some(&self.bytes[at + 1..])
    }
}

/// The error for a child that ended without an answer.
fn lost(heard: &Heard, late: bool, patience: Duration, status: Option<c_int>) -> Error {
    if status.is_some_and(|s| libc::WIFEXITED(s) && libc::WEXITSTATUS(s) == NOT_STARTED) {
        return refused("set up a process", &OsError::other("it has no descriptors"));
    }
    let signal = status.filter(|&s| libc::WIFSIGNALED(s)).map(|s| libc::WTERMSIG(s));
    let how = match (late, signal) {
        (true, _) => format!("LLVM got nowhere in {} seconds", patience.as_secs()),
        (_, Some(signal)) => format!("LLVM crashed (signal {signal})"),
        _ => "LLVM gave up".to_owned(),
    };
    if heard.bytes.first() == Some(&READ) {
        Error::new(ErrorKind::Compile, format!("{how} while compiling the module"))
            .hint("the module provokes a defect of LLVM: try another optimisation level, or a smaller module")
    } else {
        Error::new(ErrorKind::Parse, format!("{how} while reading the module"))
            .hint("the file is damaged: produce it again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{OptLevel, compile};

    const SHORT: Duration = Duration::from_millis(300);
    /// For those that come to an end: on a busy machine that may take a while.
    const LONG: Duration = Duration::from_secs(120);

    fn error_of(patience: Duration, work: &Work<'_>) -> Error {
        run(patience, work).err().expect("there is no answer to be had")
    }

    fn open_descriptors() -> usize {
        std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
    }

    #[test]
    fn the_ends_a_child_may_come_to() {
        let crash = error_of(LONG, &|_| std::process::abort());
        assert_eq!(crash.kind(), ErrorKind::Parse);
        assert!(crash.message().contains("crashed (signal 6) while reading"), "{crash}");
        let crash = error_of(LONG, &|progress| {
            progress(Progress::Read);
            // SAFETY: none is needed: the point is that the process dies.
            unsafe { libc::raise(libc::SIGSEGV) };
            unreachable!()
        });
        assert_eq!(crash.kind(), ErrorKind::Compile);
        let exit = error_of(LONG, &|_| std::process::exit(0));
        assert!(exit.message().contains("gave up"), "{exit}");
        let panic = error_of(LONG, &|_| panic!("not shown"));
        assert!(panic.message().contains("panicked"), "{panic}");
        let endless = error_of(SHORT, &|_| loop {
            std::thread::sleep(SHORT);
        });
        assert!(endless.message().contains("got nowhere"), "{endless}");
        let hungry = error_of(LONG, &|_| {
            // Far more, because tests beside this one take and return memory of the process.
            let bytes: Vec<u8> = Vec::with_capacity((MEMORY as usize) * 8);
            // The allocation must not be optimised away.
            panic!("got {}", std::hint::black_box(&bytes).capacity())
        });
        assert!(hungry.message().contains("signal 6"), "{hungry}");
    }

    #[test]
    fn signs_of_life_are_waited_for() {
        let slow = run(BEAT * 5, &|progress| {
            for _ in 0..6 {
                std::thread::sleep(BEAT);
                progress(Progress::Alive);
            }
            Err(Error::new(ErrorKind::Compile, "done"))
        });
        assert_eq!(slow.err().unwrap().message(), "done");
    }

    #[test]
    fn descriptors_can_be_closed_and_settled_when_all_are_in_use() {
        let end = run(LONG, &|_| {
            let said = |what: String| Err(Error::new(ErrorKind::Host, what));
            let limit = libc::rlimit { rlim_cur: 16, rlim_max: 16 };
            // SAFETY: this process is a child of ours and has its own descriptors.
            unsafe {
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
                // What was at the pipe's place is the host's; the pipe is elsewhere.
                let pipe = libc::dup(PIPE);
                libc::dup2(0, PIPE);
                while libc::dup(0) >= 0 {}
                if !settle_descriptors(pipe) {
                    return said("not settled".into());
                }
            }
            let left: Vec<_> =
                std::fs::read_dir("/proc/self/fd").unwrap().map(|e| e.unwrap().path()).collect();
            let to = std::fs::read_link("/proc/self/fd/3").unwrap();
            said(format!("{} {}", left.len(), to.display().to_string().starts_with("pipe:")))
        });
        assert_eq!(end.err().unwrap().message(), "5 true");
    }

    #[test]
    fn a_child_has_nothing_of_the_hosts_open() {
        let (_listening, _speaking) = std::io::pipe().unwrap();
        let open = run(LONG, &|_| {
            let names = std::fs::read_dir("/proc/self/fd").unwrap();
            let names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            Err(Error::new(ErrorKind::Host, names.len().to_string()))
        });
        // Standard streams, the pipe, and the directory it reads.
        assert_eq!(open.err().unwrap().message(), "5");
    }

    #[test]
    fn what_llvm_cannot_do_is_an_error() {
        let source = Source::ir(
            "target triple = \"x86_64-unknown-linux-gnu\"
             declare token @llvm.coro.id(i32, ptr, ptr, ptr)
             define i128 @f(ptr %p) \"target-features\"=\"-sse,-x87,-sse2\" {
               %a = load x86_fp80, ptr %p
               %b = fadd x86_fp80 %a, %a
               %c = fptosi x86_fp80 %b to i128
               %d = call i128 asm \"bad $0, $1\", \"={xmm0},r\"(i128 %c)
               ret i128 %d }",
        );
        let error = compile(&source, &CompileOptions::default()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Compile, "{error}");
    }

    /// A small generator, so that a failure can be repeated.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }
    }

    #[test]
    fn damaged_bitcode_harms_nobody() {
        let context = inkwell::context::Context::create();
        let text = "
            %pair = type { i32, ptr }
            @list = global [3 x %pair] [%pair { i32 1, ptr @list }, %pair { i32 2, ptr null }, %pair zeroinitializer]
            declare i32 @printf(ptr nocapture, ...) #0
            define i32 @sum(ptr %p, i32 %n) #0 {
            entry:
              br label %loop
            loop:
              %i = phi i32 [ 0, %entry ], [ %j, %loop ]
              %s = phi i32 [ 0, %entry ], [ %t, %loop ]
              %at = getelementptr %pair, ptr %p, i32 %i
              %v = load i32, ptr %at, !tbaa !0
              %t = add nsw i32 %s, %v
              %j = add i32 %i, 1
              %more = icmp ult i32 %j, %n
              br i1 %more, label %loop, label %end
            end:
              %r = call i32 (ptr, ...) @printf(ptr @list, i32 %t)
              switch i32 %r, label %no [ i32 7, label %yes i32 9, label %yes ]
            yes: ret i32 %t
            no: unreachable
            }
            attributes #0 = { nounwind \"frame-pointer\"=\"all\" }
            !0 = !{!1, !1, i64 0}
            !1 = !{!\"int\", !2}
            !2 = !{!\"root\"}";
        let buffer =
            inkwell::memory_buffer::MemoryBuffer::create_from_memory_range_copy(text.as_bytes(), "t");
        let module = context.create_module_from_ir(buffer).unwrap();
        let bitcode = module.write_bitcode_to_memory().as_slice().to_vec();
        let options = CompileOptions { level: OptLevel::O1, ..CompileOptions::default() };
        assert!(compile(&Source::bitcode(bitcode.clone()), &options).is_ok());
        let before = open_descriptors();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut refused = 0;
        for round in 0..200 {
            let mut bytes = bitcode.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
            }
            if round % 10 == 0 {
                bytes.truncate(random.below(bytes.len()));
            }
            refused += usize::from(compile(&Source::bitcode(bytes), &options).is_err());
        }
        assert!(refused > 50, "{refused} of 200 refused");
        // Other tests have a few open.
        let after = open_descriptors();
        assert!(after < before + 50, "{before} {after}");
    }
}
