//! Scripted edit sessions: real programs run under `hotslot run --watch` while their files are
//! edited through the file system.
//!
//! Each session is a list of edits (`lua.rs`, `zstd.rs`, …), every one with what `--events` has to
//! tell of it and what the program has to do then: what a native build of the same files does,
//! with the state that it had. The same list is played with and without threads in the program
//! that are inside the edited functions all the time.
//!
//! Waiting is for events and answers, never for time to pass. `HOTSLOT_TEST_SELF=1` rehearses the lists natively, without hotslot.

#[path = "../common/crates.rs"]
mod crates;
mod disk;
mod lua;
mod native;
mod play;
mod running;
mod sqlite;
mod step;
mod subject;
mod world;
mod zstd;

use native::Native;
use step::Step;
use subject::Subject;

/// A folder of its own that goes when it is dropped.
fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("session-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Plays a session quietly and under load, side by side.
fn session(subject: Subject, steps: &[Step]) {
    assert!(steps.len() >= 30, "{} edits", steps.len());
    let native = Native::new(subject.clone());
    if std::env::var_os("HOTSLOT_TEST_SELF").is_some() {
        return play::rehearse(&subject, &native, steps);
    }
    std::thread::scope(|scope| {
        for threads in [0, 3] {
            let (subject, native) = (&subject, &native);
            scope.spawn(move || play::play(subject, native, steps, threads));
        }
    });
}

#[test]
fn lua() {
    session(subject::lua(), &lua::steps());
}

#[test]
fn zstd() {
    session(subject::zstd(), &zstd::steps());
}

#[test]
fn world() {
    session(subject::world(), &world::steps());
}

#[test]
fn sqlite() {
    session(subject::sqlite(), &sqlite::steps());
}
