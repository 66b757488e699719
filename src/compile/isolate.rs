//! Compiling in a child process what may be damaged.
//!
//! LLVM's readers trust their input: of bitcode files with a few bits flipped, one in
//! fifty made LLVM 19 crash, run out of memory or loop. Owns the child: its limits, its
//! deadline, what it sends back and its end. Deliberately knows nothing of what compiling
//! is.
#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::{CompileOptions, CompileTimes, Compiled, Interface, Source, emit};
use crate::error::{Error, ErrorKind, Result};

/// How long a child may take.
const DEADLINE: Duration = Duration::from_secs(120);
/// How much more memory a child may use than the host does, in bytes.
const MEMORY: u64 = 4 << 30;

/// Held for reading while LLVM runs in this process, for writing while it forks: a child
/// never inherits a lock inside LLVM that another of our threads holds.
static LLVM: RwLock<()> = RwLock::new(());

pub(super) fn in_process(source: &Source, options: &CompileOptions) -> Result<Compiled> {
    let _running = LLVM.read();
    emit::compile(source, options)
}

pub(super) fn in_child(source: &Source, options: &CompileOptions) -> Result<Compiled> {
    let refused = |what: &str| {
        let error = std::io::Error::last_os_error();
        Error::new(ErrorKind::Host, format!("cannot {what} to check the module in: {error}"))
            .hint("mark the source as trusted to compile it in this process")
    };
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(refused("open a pipe"));
    }
    // SAFETY: both were just opened and belong to nobody else.
    let (mut reading, writing) =
        unsafe { (std::fs::File::from_raw_fd(ends[0]), std::fs::File::from_raw_fd(ends[1])) };
    // SAFETY: the child runs nothing but our code and LLVM, takes no lock that another
    // thread may have held (malloc's are looked after by the C library, LLVM's by the
    // lock), and ends by _exit.
    let child = {
        let _quiet = LLVM.write();
        unsafe { libc::fork() }
    };
    match child {
        -1 => Err(refused("start a process")),
        0 => {
            drop(reading);
            run_child(source, options, writing)
        }
        _ => {
            drop(writing);
            let bytes = read_until(&mut reading, Instant::now() + DEADLINE);
            if bytes.is_none() {
                // SAFETY: our own child, not yet waited for.
                unsafe { libc::kill(child, libc::SIGKILL) };
            }
            let status = wait(child);
            match bytes.as_deref().and_then(decode) {
                Some(result) => result,
                None => Err(damaged(bytes.is_none(), status)),
            }
        }
    }
}

fn damaged(late: bool, status: i32) -> Error {
    let how = match (late, libc::WIFSIGNALED(status)) {
        (true, _) => format!("LLVM did not finish within {} seconds", DEADLINE.as_secs()),
        (_, true) => format!("LLVM crashed (signal {})", libc::WTERMSIG(status)),
        _ => "LLVM gave up".to_owned(),
    };
    Error::new(ErrorKind::Parse, format!("{how} while compiling the module"))
        .hint("the file is damaged or provokes a defect of LLVM: produce it again")
}

fn run_child(source: &Source, options: &CompileOptions, mut pipe: std::fs::File) -> ! {
    // SAFETY: system calls with integers and valid pointers, in a process of one thread.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT, libc::SIGFPE, libc::SIGILL] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for fd in 0..=2 {
            libc::dup2(null, fd);
        }
        let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &no_core);
        let limit = address_space() + MEMORY;
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        libc::setrlimit(libc::RLIMIT_AS, &limit);
    }
    let result = emit::compile(source, options);
    let sent = pipe.write_all(&encode(&result)).is_ok();
    // SAFETY: ends the child without running the host's exit handlers.
    unsafe { libc::_exit(i32::from(!sent)) }
}

/// Bytes of address space in use.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = pages.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1 << 20);
    pages * 4096
}

/// Reads to the end; `None` when the deadline passes first.
fn read_until(pipe: &mut std::fs::File, deadline: Instant) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let mut poll = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        let ready = unsafe { libc::poll(&mut poll, 1, left.as_millis().min(i32::MAX as u128) as i32) };
        if ready <= 0 {
            continue;
        }
        match pipe.read(&mut chunk) {
            Ok(0) => return Some(bytes),
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Some(bytes),
        }
    }
}

fn wait(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: our own child; `status` is valid for a write.
    while unsafe { libc::waitpid(child, &mut status, 0) } == -1
        && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
    {}
    status
}

/// The result as bytes: a tag, then fields with their length before them, then a last
/// byte that a result cut short does not have.
fn encode(result: &Result<Compiled>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut field = |bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match result {
        Ok(compiled) => {
            field(b"ok");
            field(&compiled.object);
            let CompileTimes { parse, optimise, codegen } = compiled.times;
            for time in [parse, optimise, codegen] {
                field(&(time.as_nanos() as u64).to_le_bytes());
            }
            for (name, kind) in &compiled.interface.functions {
                field(name.as_bytes());
                field(kind.as_bytes());
            }
        }
        Err(error) => {
            field(if error.kind() == ErrorKind::Parse { b"parse" } else { b"compile" });
            field(error.message().as_bytes());
            field(error.advice().unwrap_or_default().as_bytes());
        }
    }
    field(b"end");
    out
}

fn decode(mut bytes: &[u8]) -> Option<Result<Compiled>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        fields.push(field);
        bytes = rest;
    }
    if fields.pop()? != b"end" {
        return None;
    }
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    match fields.as_slice() {
        [b"ok", object, parse, optimise, codegen, functions @ ..] => {
            let time = |field: &[u8]| Some(Duration::from_nanos(u64::from_le_bytes(field.try_into().ok()?)));
            let functions = functions.chunks_exact(2).map(|pair| (text(pair[0]), text(pair[1]))).collect();
            let times =
                CompileTimes { parse: time(parse)?, optimise: time(optimise)?, codegen: time(codegen)? };
            Some(Ok(Compiled { object: object.to_vec(), interface: Interface::new(functions), times }))
        }
        [kind, message, hint] => {
            let kind = if *kind == b"parse" { ErrorKind::Parse } else { ErrorKind::Compile };
            let error = Error::new(kind, text(message));
            Some(Err(if hint.is_empty() { error } else { error.hint(text(hint)) }))
        }
        _ => None,
    }
}
