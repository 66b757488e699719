//! Tells somebody at a terminal what takes so long.
//!
//! Draws nothing when stderr is not a terminal, nothing when loading is quick,
//! and leaves nothing behind: neither a line on the screen nor a thread, as the
//! program that runs next may fork.

use std::io::IsTerminal;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Quicker than this is not worth a flicker.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time between two steps of the spinner.
const STEP: Duration = Duration::from_millis(100);

/// What is being waited for; `None` when the wait is over.
type Message = Option<String>;

/// A line on the terminal for as long as this value lives.
pub struct Progress {
    shared: Arc<(Mutex<Message>, Condvar)>,
    drawer: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to wait for `what`.
    pub fn start(what: &str) -> Self {
        let shared = Arc::new((Mutex::new(Some(what.to_owned())), Condvar::new()));
        let drawer = std::io::stderr().is_terminal().then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || draw(&shared.0, &shared.1))
        });
        Self { shared, drawer }
    }

    /// Says what is being waited for now.
    pub fn say(&self, what: String) {
        self.set(Some(what));
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

    fn set(&self, message: Message) {
        let mut shared = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = message;
        if shared.is_none() {
            self.shared.1.notify_all();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The drawing thread: waits out the patience, then draws until told to stop.
fn draw(message: &Mutex<Message>, over: &Condvar) {
    let wait = |time| {
        let guard = message.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = over
            .wait_timeout_while(guard, time, |message| message.is_some())
            .unwrap_or_else(PoisonError::into_inner);
        guard.clone()
    };
    let Some(mut what) = wait(PATIENCE) else {
        return;
    };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    loop {
        bar.set_message(what);
        bar.tick();
        match wait(STEP) {
            Some(next) => what = next,
            None => break,
        }
    }
    bar.finish_and_clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawer_stops_when_told() {
        let shared = Arc::new((Mutex::new(Some(String::new())), Condvar::new()));
        let drawer = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || draw(&shared.0, &shared.1))
        };
        let progress = Progress {
            shared,
            drawer: Some(drawer),
        };
        progress.say("working".to_owned());
        progress.finish();
    }
}
