//! Control of a running program from outside: a socket, a command that talks to it, keys.
//!
//! [`protocol`] is what is said. In the program [`socket`] is the file, [`server`] the thread
//! that serves it, [`connection`] one client; [`desk`] answers or passes on to [`session`], which
//! makes updates where nobody watches; [`life`] is how long the threads live. [`client`] is
//! `hotslot ctl`, and [`readable`] what that prints. [`keys`] are those of the terminal, and
//! [`guard`] leaves the terminal as it was.

pub mod client;
mod connection;
mod desk;
mod forks;
pub mod guard;
mod keys;
mod life;
pub mod options;
pub mod protocol;
mod readable;
mod report;
mod server;
mod session;
mod socket;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use hotslot::Runtime;

use super::cancel::Cancel;
use super::failure::Failure;
use super::frontend::Frontend;
use super::hooks;
use super::options::RunOptions;
use super::program::Program;
use desk::Desk;
use keys::Terminal;
use life::Life;
use options::ControlOptions;
use session::Session;
use socket::Socket;

/// What was asked for, before there is a program.
pub struct Control {
    socket: Option<Socket>,
    terminal: Option<Terminal>,
}

/// Makes the socket, so that whoever cannot have it hears of that before anything is compiled.
/// Clients may come at once; they are served once the program runs. Call while this process has
/// one thread.
pub fn prepare(options: &ControlOptions) -> Result<Control, Failure> {
    let socket = options.control.as_deref().map(Socket::bind).transpose()?;
    // Before a constructor of the program can fork.
    forks::close_in_children(socket.iter().map(|socket| socket.listener().as_fd()));
    let terminal = if options.keys { Terminal::take()? } else { None };
    Ok(Control { socket, terminal })
}

/// Starts to serve, if anything was asked for.
pub fn start(
    control: Control,
    options: &RunOptions,
    program: &Program,
    runtime: &Runtime,
    frontend: Frontend,
) -> Result<(), Failure> {
    let Control { socket, terminal } = control;
    let Some(hooks) = hooks::of_program().filter(|_| socket.is_some() || terminal.is_some()) else {
        return Ok(());
    };
    let cancel = Cancel::default();
    let life = Life::begin(hooks.clone(), cancel.clone())?;
    let (sender, orders) = channel::<desk::Order>();
    let name = options.argv0.as_ref().or(program.argv0.as_ref());
    let desk = Desk {
        runtime: runtime.clone(),
        program: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        started: Instant::now(),
        orders: sender,
    };
    let mut session = Session {
        runtime: runtime.clone(),
        hooks: hooks.clone(),
        units: program.units.clone(),
        frontend,
        assembler: options.compilers.cc.clone(),
        folder: std::env::current_dir().unwrap_or_default(),
        cancel,
    };
    life.spawn("hotslot-update", move || {
        for (ask, reply) in orders {
            // Whoever asked may be gone.
            let _ = reply.send(session.answer(ask));
        }
    })?;
    if let Some(terminal) = terminal {
        let desk = desk.clone();
        life.spawn("hotslot-keys", move || keys::serve(&terminal, &desk, life))?;
    }
    if let Some(socket) = socket.map(Arc::new) {
        let _ = life.socket.set(socket.clone());
        life.spawn("hotslot-control", move || server::serve(&socket, &desk, life))?;
    }
    Ok(())
}
