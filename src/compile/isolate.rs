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
use std::mem::ManuallyDrop;
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
use crate::fork_gate;

/// How long a child may go without a sign of life. Optimising a module gives none, so a
/// large one gets more: [`PATIENCE_PER_MIB`].
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_PER_MIB: Duration = Duration::from_secs(60);
/// How often a child gives one at most.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// How much more memory a child may use than the host does, in bytes.
pub(super) const MEMORY: u64 = 4 << 30;

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
    let patience = patience(source);
    let work = |progress: &dyn Fn(Progress)| emit::compile(source, options, goal, progress);
    {
        let _running = LLVM.read();
        machine::warm(options)?;
    }
    run(patience, &work)
}

/// How long a child may take for a source without a sign of life.
pub(super) fn patience(source: &Source) -> Duration {
    PATIENCE + PATIENCE_PER_MIB * (source.bytes().len() >> 20) as u32
}

/// What a child is to do.
pub(super) type Work<'w> = dyn Fn(&dyn Fn(Progress)) -> Result<Compiled> + 'w;

/// Does `work` in a child process and waits for it; the child has ended when this returns.
pub(super) fn run(patience: Duration, work: &Work<'_>) -> Result<Compiled> {
    let (child, mut pipe) = fork(&|| finish(&attempt(work)))?;
    let mut heard = Heard::default();
    let late = !heard.listen(&mut pipe, patience);
    let status = if late { child.kill() } else { child.wait() };
    heard.result().unwrap_or_else(|| Err(lost(&heard, late, patience, status)))
}

/// What a child does when it is alone; it ends with it.
pub(super) type Life<'l> = dyn Fn() + 'l;

/// Starts the child; returns its number and the end of the pipe to listen at.
///
/// Handlers that the host or generated code registered with `pthread_atfork` run, as in
/// any fork, in both processes. They find every signal blocked and [`LLVM`] locked: one
/// that compiles a module would wait for itself.
pub(super) fn fork(life: &Life<'_>) -> Result<(Child, File)> {
    // The pipe is opened under the lock too: the child of another thread would keep its
    // end open, and the end of this child would go unnoticed.
    let _quiet = LLVM.write();
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
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
        let turn = fork_gate::forking();
        let child = libc::fork();
        if child == 0 {
            live(speaking.into_raw_fd(), life);
        }
        let error = OsError::last_os_error();
        drop(turn);
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
unsafe fn live(pipe: c_int, life: &Life<'_>) -> ! {
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
    // A panic must not unwind into the host's frames, of which this process has a copy.
    let _ = catch_unwind(AssertUnwindSafe(life));
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(0) }
}

/// Does `work` in a child, which tells how it gets on.
pub(super) fn attempt(work: &Work<'_>) -> Result<Compiled> {
    WAS_READ.store(false, Ordering::Relaxed);
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
    let result = catch_unwind(AssertUnwindSafe(|| work(&progress)));
    result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Compile, "the compile stage panicked")))
}

/// Sends the answer.
pub(super) fn reply(result: &Result<Compiled>) {
    let answer = wire::encode(result.as_ref());
    send(&[ANSWER]);
    send(&(answer.len() as u64).to_le_bytes());
    send(&answer);
}

/// Sends the answer and ends the child without running the host's exit handlers.
fn finish(result: &Result<Compiled>) -> ! {
    reply(result);
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(0) }
}

fn send(bytes: &[u8]) {
    // When nobody listens there is nobody to tell, and the child is killed.
    let _ = own_pipe().write_all(bytes);
}

/// In the child: its pipe, open until it ends.
pub(super) fn own_pipe() -> ManuallyDrop<File> {
    // SAFETY: the child has its pipe there, and the file does not close it.
    ManuallyDrop::new(unsafe { File::from_raw_fd(PIPE) })
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
pub(super) struct Heard {
    bytes: Vec<u8>,
}

impl Heard {
    /// Reads to the end of the answer, or of the child; false when nothing comes for as long as
    /// `patience`.
    pub(super) fn listen(&mut self, pipe: &mut File, patience: Duration) -> bool {
        let mut chunk = vec![0; 1 << 16];
        let mut deadline = Instant::now() + patience;
        while self.answer().is_none() {
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
        true
    }

    /// The answer, once all of it is there.
    fn answer(&self) -> Option<&[u8]> {
        let at = self.bytes.iter().position(|&b| b == ANSWER)?;
        let (length, rest) = self.bytes[at + 1..].split_first_chunk::<8>()?;
        rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)
    }

    pub(super) fn result(&self) -> Option<Result<Compiled>> {
        self.answer().and_then(wire::decode)
    }
}

/// The error for a child that ended without an answer.
pub(super) fn lost(heard: &Heard, late: bool, patience: Duration, status: Option<c_int>) -> Error {
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
