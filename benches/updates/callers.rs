//! Threads that call generated code for as long as something is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use hotslot::Runtime;

/// Threads in generated code; they end when this is dropped.
pub struct Callers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Callers {
    /// Starts `count` threads that call `name` again and again, and waits until all do.
    pub fn start(runtime: &Runtime, name: &str, count: usize) -> Self {
        let (stop, running) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let start = |_| {
            // SAFETY: the type of the caller that `generations` makes.
            let function = unsafe { runtime.function::<extern "C" fn(i64) -> i64>(name) };
            let function = function.expect("it is loaded");
            let (stop, running) = (stop.clone(), running.clone());
            std::thread::spawn(move || {
                running.fetch_add(1, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    function.call(1000);
                }
            })
        };
        let threads = (0..count).map(start).collect();
        while running.load(Ordering::Relaxed) < count {
            std::thread::yield_now();
        }
        Self { stop, threads }
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("it only calls");
        }
    }
}

/// How many processors there are beside the one that measures; one at least.
pub fn others() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1).max(1))
}

/// Keeps the calling thread on one processor: two that shall not disturb each other must not
/// share one, and moving is a pause, too. Does nothing where there is no such processor.
pub fn stay_on(processor: usize) {
    // SAFETY: a set of processors, made and read in place.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}
