//! Leaves the terminal as it was, whatever becomes of the program.
//!
//! A program that crashes, is killed or becomes another one (`exec`) runs no code of ours, and
//! signal handlers would be seen by it. So a small process of its own waits for the end of the
//! program, which is the end of a pipe, and restores the terminal. It gets the terminal's signals
//! as the program does: at Ctrl-Z it gives the terminal back, and takes it again afterwards. It is
//! not the program's child, so that the program does not find it when it waits for its own.
#![allow(unsafe_code)] // lets a signal through

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, ExitCode, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{Termios, tcgetattr};

use super::super::failure::Failure;
use super::super::signals;
use super::keys::{is_for_keys, is_ours, set, take_keys};
use super::options::GuardOptions;

/// Starts a guard for `terminal` as that is now. It waits until what is returned is closed, or
/// this process ends.
pub fn start(terminal: OwnedFd) -> std::io::Result<OwnedFd> {
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("terminal-guard").stdin(reader).stdout(File::from(terminal)).stderr(Stdio::null());
    if command.status()?.success() { Ok(writer.into()) } else { Err(std::io::Error::other("no guard")) }
}

/// `hotslot terminal-guard`.
pub fn run(options: &GuardOptions) -> Result<ExitCode, Failure> {
    let result = if options.stay { stay() } else { leave_one() };
    result.map(|()| ExitCode::SUCCESS).map_err(|error| Failure::new(format!("the terminal's guard: {error}")))
}

/// Starts the one that stays, and ends: so it is nobody's child.
fn leave_one() -> std::io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.args(["terminal-guard", "--stay"]).stderr(Stdio::piped()).spawn()?;
    // It has seen how the terminal is.
    child.stderr.take().ok_or(std::io::ErrorKind::BrokenPipe)?.read_exact(&mut [0])
}

fn stay() -> std::io::Result<()> {
    let (program, terminal) = (std::io::stdin(), std::io::stdout());
    let before = tcgetattr(&terminal)?;
    let mut signals = signals::as_file(1..=64)?;
    // It holds no folder.
    std::env::set_current_dir("/")?;
    std::io::stderr().write_all(b".")?;
    loop {
        let mut files = [PollFd::new(&program, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        match poll(&mut files, None) {
            Err(Errno::INTR) => continue,
            result => _ = result?,
        }
        let (ended, signalled) = (!files[0].revents().is_empty(), !files[1].revents().is_empty());
        if ended {
            give_back(&before);
            return Ok(());
        }
        if signalled && !serve_signal(&mut signals, &before)? {
            return Ok(());
        }
    }
}

fn give_back(before: &Termios) {
    let terminal = std::io::stdout();
    // A shell may have it again by now. If that has set it as it likes, it is the shell's; most
    // leave it as they find it.
    if is_ours(&terminal) || is_for_keys(&terminal, before) {
        set(&terminal, before);
    }
}

/// Does what a signal is for; whether to go on.
fn serve_signal(signals: &mut File, before: &Termios) -> std::io::Result<bool> {
    match signals::read(signals)? {
        libc::SIGHUP => return Ok(false),
        libc::SIGTSTP => {
            give_back(before);
            stop();
        }
        libc::SIGCONT => {}
        _ => return Ok(true),
    }
    let terminal = std::io::stdout();
    if is_ours(&terminal) {
        take_keys(&terminal, before);
    }
    Ok(true)
}

/// Stops as the program does, if it does: where nobody could continue it, the kernel lets it run.
fn stop() {
    // SAFETY: all bytes zero is a valid set; the calls change the mask of the only thread.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut set, libc::SIGTSTP);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        let _ = kill_process(getpid(), Signal::TSTP);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}
