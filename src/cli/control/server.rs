//! The thread that serves the socket.
//!
//! Owns the loop over its clients: who is let in, how many, and whose turn it is. It never waits
//! for any one of them.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::super::descriptors::out_of_the_way;
use super::connection::Connection;
use super::desk::Desk;
use super::forks;
use super::life::Life;
use super::socket::Socket;

/// Clients at once.
const MOST: usize = 32;
/// How often to look at an update that is being made, and whether the program is there at all.
const SOON: Duration = Duration::from_millis(5);
const LATER: Duration = Duration::from_millis(500);
/// How long nobody is let in where that is not possible.
const FULL: Duration = Duration::from_millis(100);

/// Serves until the program ends.
pub fn serve(socket: &Socket, desk: &Desk, life: &Life) {
    let mut clients: Vec<Connection> = Vec::new();
    while !life.is_over() {
        let Ok(ready) = wait(socket, &clients, life) else { break };
        if life.is_over() {
            break;
        }
        for (client, ready) in clients.iter_mut().zip(&ready.clients) {
            if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) && client.reads() {
                client.read(desk);
            } else {
                client.work(desk);
            }
            if client.writes() {
                client.write();
            }
        }
        // Before those are forgotten that have said so and gone.
        let quits = clients.iter().any(|client| client.quits && !client.writes());
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        let mut hung_up = ready.clients.iter().map(|ready| ready.intersects(gone));
        clients.retain(|client| {
            // Of one that is gone the rest may still be read, but nothing can be said to it.
            let gone = hung_up.next().unwrap_or(false) && !client.reads();
            !gone && !client.is_over()
        });
        if quits {
            clients.retain(|client| !client.quits || client.writes());
            // A program that takes the signal may go on, and goes on being served.
            life.quit();
        }
        if ready.listener.intersects(PollFlags::NVAL | PollFlags::ERR) {
            // The program has closed what it has not opened.
            break;
        }
        if ready.listener.contains(PollFlags::IN) {
            admit(socket, &mut clients);
        }
        let files = std::iter::once(socket.listener().as_fd()).chain(clients.iter().map(Connection::file));
        forks::close_in_children(files);
    }
    forks::close_in_children(std::iter::empty());
    socket.remove();
}

/// What can be done now.
struct Turn {
    listener: PollFlags,
    clients: Vec<PollFlags>,
}

fn wait(socket: &Socket, clients: &[Connection], life: &Life) -> rustix::io::Result<Turn> {
    let mut files = Vec::with_capacity(clients.len() + 2);
    files.push(PollFd::from_borrowed_fd(life.bell(), PollFlags::IN));
    files.push(PollFd::new(socket.listener(), PollFlags::IN));
    for client in clients {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, client.reads());
        flags.set(PollFlags::OUT, client.writes());
        files.push(PollFd::from_borrowed_fd(client.file(), flags));
    }
    let time = if clients.iter().any(Connection::is_waiting) { SOON } else { LATER };
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
    match poll(&mut files, Some(&time)) {
        Err(error) if error != rustix::io::Errno::INTR => return Err(error),
        _ => {}
    }
    let clients = files[2..].iter().map(PollFd::revents).collect();
    Ok(Turn { listener: files[1].revents(), clients })
}

/// Lets the next client in, if it is the user's own.
fn admit(socket: &Socket, clients: &mut Vec<Connection>) {
    let stream = match socket.listener().accept() {
        Ok((stream, _)) => stream,
        Err(error) => {
            if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) {
                // Too many files are open: it would be asked for again at once.
                std::thread::sleep(FULL);
            }
            return;
        }
    };
    // The file's mode says the same; whoever may change that may not do this.
    let is_ours = socket_peercred(&stream).is_ok_and(|peer| peer.uid == geteuid());
    if !is_ours || stream.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(stream) = out_of_the_way(stream) else { return };
    if clients.len() >= MOST {
        // The one that has been silent for longest makes room.
        let idle = clients.iter().enumerate().filter(|(_, client)| !client.is_waiting());
        let Some((at, _)) = idle.min_by_key(|(_, client)| client.heard) else { return };
        clients.remove(at);
    }
    let mut client = Connection::new(stream.into());
    client.heard = Instant::now();
    clients.push(client);
}
