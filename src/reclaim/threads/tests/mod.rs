//! Threads in every state, with code to hold.

#![allow(unsafe_code)]

mod rare;
mod stacks;
mod threads;

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;

/// Code of a test's own, at addresses where nothing else is.
struct Code(u64);

impl Code {
    const SIZE: usize = 4096;
    /// Calls what the first argument says with the second.
    const CALL: [u8; 14] =
        [0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3];
    /// Where that call returns to.
    const RETURN: u64 = 12;
    /// Loops until the byte that the argument points to is not zero. It is at 64.
    const SPIN: [u8; 6] = [0x80, 0x3f, 0x00, 0x74, 0xfb, 0xc3];

    /// At an address that no other code ever had, so that no word left anywhere is one of it.
    fn new() -> Arc<Self> {
        static AREA: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        const ALL: usize = 4096 * Code::SIZE;
        let area = AREA.get_or_init(|| {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: new memory.
            unsafe { libc::mmap(null_mut(), ALL, libc::PROT_NONE, flags, -1, 0) as u64 }
        });
        let offset = NEXT.fetch_add(Self::SIZE, Ordering::Relaxed);
        assert!(offset < ALL);
        let start = (area + offset as u64) as *mut u8;
        // SAFETY: a page that nobody else uses.
        unsafe {
            libc::mprotect(start.cast(), Self::SIZE, libc::PROT_READ | libc::PROT_WRITE);
            start.copy_from(Self::CALL.as_ptr(), Self::CALL.len());
            start.add(64).copy_from(Self::SPIN.as_ptr(), Self::SPIN.len());
            libc::mprotect(start.cast(), Self::SIZE, libc::PROT_READ | libc::PROT_EXEC);
        }
        Arc::new(Self(start as u64))
    }

    /// Short of the next one's start, which counts as the end.
    fn range(&self) -> Range<u64> {
        self.0..self.0 + Self::SIZE as u64 / 2
    }

    /// Runs `inner` with this code on the stack.
    #[inline(never)]
    fn call<F: FnOnce()>(&self, inner: F) {
        extern "C" fn enter<F: FnOnce()>(inner: &mut Option<F>) {
            inner.take().unwrap()();
        }
        let mut inner = Some(inner);
        // SAFETY: the code takes a function and what that takes.
        unsafe {
            let call: extern "C" fn(extern "C" fn(&mut Option<F>), &mut Option<F>) =
                std::mem::transmute(self.0 as *const c_void);
            call(enter::<F>, &mut inner);
        }
    }

    #[inline(never)]
    fn spin(&self, until: &AtomicU8) {
        // SAFETY: the code takes a byte's address.
        let spin: extern "C" fn(&AtomicU8) = unsafe { std::mem::transmute((self.0 + 64) as *const c_void) };
        spin(until);
    }
}

/// Asks for these, in any order.
#[inline(never)]
fn ask(codes: &[&Code]) -> Vec<(Findings, Range<u64>)> {
    let own = Caller::here();
    let mut ranges: Vec<Range<u64>> = codes.iter().map(|code| code.range()).collect();
    ranges.sort_by_key(|range| range.start);
    let findings = ask_threads(&ranges, &own);
    codes
        .iter()
        .map(|code| {
            let range = code.range();
            let index = ranges.iter().position(|other| *other == range).unwrap();
            let of_it = Findings {
                hits: findings.hits.iter().filter(|hit| hit.range == index).cloned().collect(),
                silent: findings.silent.clone(),
                odd_stack: findings.odd_stack,
            };
            (of_it, range)
        })
        .collect()
}

/// How long a thread may fail to answer, because other work keeps the machine busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The word that `thread` holds of `code`; it could be asked.
#[track_caller]
fn held(code: &Code, thread: i32) -> Option<u64> {
    let late = Instant::now() + PATIENCE;
    let (findings, range) = loop {
        let (findings, range) = ask(&[code]).pop().unwrap();
        let silent: Vec<&Silent> =
            findings.silent.iter().filter(|s| [0, thread].contains(&s.thread)).collect();
        if silent.is_empty() {
            break (findings, range);
        }
        assert!(Instant::now() < late, "thread {thread}: {silent:?}");
    };
    let hits: Vec<&Hit> = findings.hits.iter().filter(|hit| hit.thread == thread).collect();
    assert!(hits.len() <= 1, "{hits:?}");
    assert!(hits.iter().all(|hit| range.contains(&hit.address)), "{hits:x?}");
    hits.first().map(|hit| hit.address - range.start)
}

/// Asks until `thread` holds something of `code` that fits.
#[track_caller]
fn until_held(code: &Code, thread: i32, fits: impl Fn(u64) -> bool) {
    let late = Instant::now() + PATIENCE;
    while !held(code, thread).is_some_and(&fits) {
        assert!(Instant::now() < late, "{:?}", held(code, thread));
    }
}

/// A thread that does something until it is let go.
struct Other {
    thread: i32,
    go: Arc<AtomicU8>,
    handle: Option<JoinHandle<()>>,
}

/// What the thread is given: to say that it is there, and to see that it may go.
struct Inside {
    ready: Sender<i32>,
    go: Arc<AtomicU8>,
}

impl Inside {
    fn ready(&self) {
        self.ready.send(this_thread()).unwrap();
    }

    /// Is blocked until it may go.
    fn block(&self) {
        self.ready();
        self.wait();
    }

    fn wait(&self) {
        while self.go.load(Ordering::Acquire) == 0 {
            poll(10_000);
        }
    }

    /// Runs until it may go, in the test's own code.
    fn run(&self) {
        self.ready();
        while self.go.load(Ordering::Acquire) == 0 {
            std::hint::spin_loop();
        }
    }
}

impl Other {
    fn start(body: impl FnOnce(&Inside) + Send + 'static) -> Self {
        let (ready, is_ready) = channel();
        let go = Arc::new(AtomicU8::new(0));
        let inside = Inside { ready, go: go.clone() };
        let handle = std::thread::spawn(move || body(&inside));
        let thread = is_ready.recv().unwrap();
        Self { thread, go, handle: Some(handle) }
    }

    /// Waits until it is blocked in `call`, or gone.
    fn until_in(self, call: i64) -> Self {
        let there = |doing| match doing {
            Doing::Blocked(blocked) => blocked.call == call,
            doing => doing == Doing::Gone,
        };
        while !there(task::doing(self.thread)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    /// Waits until it runs.
    fn until_running(self) -> Self {
        while task::doing(self.thread) != Doing::Running {
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    fn end(mut self) {
        self.let_go();
    }

    fn let_go(&mut self) {
        self.go.store(1, Ordering::Release);
        let Some(handle) = self.handle.take() else { return };
        if let Doing::Blocked(_) = task::doing(self.thread) {
            // SAFETY: the thread was not joined yet. What ignores the end of `poll` goes on.
            unsafe { libc::pthread_kill(std::os::unix::thread::JoinHandleExt::as_pthread_t(&handle), WAKE) };
        }
        handle.join().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Left to itself.
            self.go.store(1, Ordering::Release);
        } else {
            self.let_go();
        }
    }
}

/// Ends a wait, in a thread that has not blocked it.
const WAKE: i32 = libc::SIGURG;

/// Waits so many milliseconds, or until woken.
fn poll(milliseconds: i32) -> i32 {
    extern "C" fn nothing(_: i32) {}
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| handle(WAKE, nothing, 0));
    // SAFETY: no descriptors.
    unsafe { libc::poll(null_mut(), 0, milliseconds) }
}

fn handle(signal: i32, handler: extern "C" fn(i32), flags: i32) {
    // SAFETY: zeroes are a valid value, and the handler is one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &action, null_mut()), 0);
    }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
