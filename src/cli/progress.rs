//! Tells somebody at a terminal what takes so long.
//!
//! Draws nothing when stderr is not a terminal, nothing when loading is quick,
//! and leaves nothing behind: neither a line on the screen nor a thread, as the
//! program that runs next may fork.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Quicker than this is not worth a flicker.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time between two steps of the spinner.
const STEP: Duration = Duration::from_millis(100);

/// What the drawing thread goes by.
struct Shared {
    /// What is being waited for; `None` when the wait is over.
    message: Option<String>,
    /// The line, once it is drawn.
    bar: Option<ProgressBar>,
}

/// A line on the terminal for as long as this value lives.
pub struct Progress {
    shared: Arc<(Mutex<Shared>, Condvar)>,
    drawer: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to wait for `what`.
    pub fn start(what: &str) -> Self {
        Self::start_if(std::io::stderr().is_terminal(), what)
    }

    fn start_if(drawn: bool, what: &str) -> Self {
        let shared = Shared { message: Some(what.to_owned()), bar: None };
        let shared = Arc::new((Mutex::new(shared), Condvar::new()));
        let drawer = drawn.then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || draw(&shared.0, &shared.1))
        });
        Self { shared, drawer }
    }

    /// Says what is being waited for now.
    pub fn say(&self, what: String) {
        self.set(Some(what));
    }

    /// Writes to stderr in place of the line, which comes back below.
    pub fn print(&self, text: &[u8]) {
        // A closed stderr must not stop a program from running.
        let write = || _ = std::io::stderr().write_all(text);
        match &self.lock().bar {
            Some(bar) if !text.is_empty() => bar.suspend(write),
            _ => write(),
        }
    }

    /// Clears the line and returns when nothing will be drawn any more.
    pub fn finish(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.set(None);
        if let Some(drawer) = self.drawer.take() {
            // A drawer that panicked has nothing left to clear.
            let _ = drawer.join();
        }
    }

    fn set(&self, message: Option<String>) {
        self.lock().message = message;
        self.shared.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The drawing thread: waits out the patience, then draws until told to stop.
fn draw(shared: &Mutex<Shared>, changed: &Condvar) {
    let mut guard = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut time = PATIENCE;
    loop {
        (guard, _) = changed
            .wait_timeout_while(guard, time, |shared| shared.message.is_some())
            .unwrap_or_else(PoisonError::into_inner);
        let Some(message) = guard.message.clone() else {
            break;
        };
        let bar = guard.bar.get_or_insert_with(line);
        bar.set_message(message);
        bar.tick();
        time = STEP;
    }
    if let Some(bar) = guard.bar.take() {
        bar.finish_and_clear();
    }
}

fn line() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawer_stops_when_told() {
        let progress = Progress::start_if(true, "");
        progress.say("working".to_owned());
        progress.finish();
    }
}
