//! Threads on their own stacks: running, blocked, deaf, gone, and many.

#![allow(unsafe_code)]

use std::sync::atomic::AtomicBool;

use super::*;

#[test]
fn a_thread_that_runs_holds_its_code() {
    let (code, outer) = (Code::new(), Code::new());
    let other = Other::start({
        let (code, outer) = (code.clone(), outer.clone());
        move |inside| {
            inside.ready();
            outer.call(|| code.spin(&inside.go));
        }
    })
    .until_running();
    // Once it has got there: that is where it runs.
    until_held(&code, other.thread, |at| (64..=69).contains(&at));
    assert_eq!(held(&outer, other.thread), Some(Code::RETURN));
    let thread = other.thread;
    other.end();
    assert_eq!(held(&code, thread), None);
    assert!(ask(&[&code])[0].0.hits.iter().all(|hit| hit.thread == this_thread()));
}

#[test]
fn a_thread_that_is_blocked_holds_its_code_and_is_not_woken() {
    let mut pipe = [0; 2];
    // SAFETY: room for two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let [from, to] = pipe;
    let polled = || (poll(600) == 0, errno());
    let slept = || {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 600_000_000 };
        // SAFETY: a time, and no place for the rest.
        (unsafe { libc::nanosleep(&time, null_mut()) } == 0, errno())
    };
    let read = move || {
        let mut byte = 0u8;
        // SAFETY: a byte.
        (unsafe { libc::read(from, (&raw mut byte).cast(), 1) } == 1, errno())
    };
    fn check(call: i64, wait: impl Fn() -> (bool, i32) + Send + 'static, wake: impl Fn()) {
        let code = Code::new();
        let (result, is_result) = channel();
        let begun = Instant::now();
        let other = Other::start({
            let code = code.clone();
            move |inside| {
                inside.ready();
                code.call(|| result.send(wait()).unwrap());
            }
        })
        .until_in(call);
        for _ in 0..20 {
            let held = held(&code, other.thread);
            // By then the wait may be over.
            if begun.elapsed() > Duration::from_millis(300) {
                break;
            }
            assert_eq!(held, Some(Code::RETURN));
        }
        wake();
        let (well, error) = is_result.recv().unwrap();
        assert!(well, "system call {call} ended with error {error}");
        other.end();
    }
    check(libc::SYS_poll, polled, || {});
    check(libc::SYS_clock_nanosleep, slept, || {});
    check(libc::SYS_read, read, || {
        // SAFETY: a byte.
        assert_eq!(unsafe { libc::write(to, [1u8].as_ptr().cast(), 1) }, 1);
    });
    // SAFETY: ours.
    unsafe { libc::close(from) };
    // SAFETY: ours.
    unsafe { libc::close(to) };
}

#[test]
fn a_thread_between_short_waits_holds_its_code_and_none_is_ended() {
    let code = Code::new();
    let work = |name: &'static str, short: fn() -> bool| {
        let code = code.clone();
        Other::start(move |inside| {
            code.call(|| {
                inside.ready();
                let mut rounds = 0u64;
                while inside.go.load(Ordering::Acquire) == 0 {
                    let ended = !short() && errno() == libc::EINTR;
                    // The test itself ends the last one.
                    let last = inside.go.load(Ordering::Acquire) != 0;
                    assert!(last || !ended, "{name} was ended in round {rounds}");
                    for _ in 0..rounds % 1000 {
                        std::hint::spin_loop();
                    }
                    rounds += 1;
                }
            })
        })
    };
    let others = [
        work("poll", || poll(1) == 0),
        work("nanosleep", || {
            let time = libc::timespec { tv_sec: 0, tv_nsec: 20_000 };
            // SAFETY: a time, and no place for the rest.
            unsafe { libc::nanosleep(&time, null_mut()) == 0 }
        }),
        work("select", || {
            let mut time = libc::timeval { tv_sec: 0, tv_usec: 30 };
            // SAFETY: a time, and no descriptors.
            unsafe { libc::select(0, null_mut(), null_mut(), null_mut(), &mut time) == 0 }
        }),
    ];
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        for other in &others {
            assert!(held(&code, other.thread).is_some());
        }
    }
    others.into_iter().for_each(Other::end);
}

#[test]
fn a_thread_that_blocks_all_signals() {
    let deafen = || {
        // SAFETY: a set of signals.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::sigdelset(&mut all, WAKE);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, null_mut());
        }
    };
    let code = Code::new();
    let blocked = Other::start({
        let code = code.clone();
        move |inside| {
            deafen();
            code.call(|| inside.block());
        }
    })
    .until_in(libc::SYS_poll);
    assert_eq!(held(&code, blocked.thread), Some(Code::RETURN));
    blocked.end();
    let running = Other::start({
        let code = code.clone();
        move |inside| {
            deafen();
            code.call(|| inside.run());
        }
    })
    .until_running();
    let findings = &ask(&[&code])[0].0;
    assert!(findings.silent.iter().any(|silent| silent.thread == running.thread), "{findings:?}");
    running.end();
}

#[test]
fn a_register_is_enough() {
    let code = Code::new();
    let other = Other::start({
        // Inverted, so that the closure holds no address of it.
        let inverted = !(code.0 + 100);
        move |inside| {
            inside.ready();
            // SAFETY: reads a byte until it changes; rbx is given back.
            unsafe {
                std::arch::asm!(
                    "push rbx", "mov rbx, {address}", "not rbx",
                    "2:", "cmp byte ptr [{flag}], 0", "je 2b",
                    "pop rbx",
                    address = in(reg) inverted, flag = in(reg) inside.go.as_ptr(),
                );
            }
            inside.wait();
        }
    })
    .until_running();
    until_held(&code, other.thread, |at| at == 100);
    other.end();
}

#[test]
fn code_that_was_left_is_not_held() {
    let code = Code::new();
    let start = |run: bool| {
        let code = code.clone();
        Other::start(move |inside| {
            code.call(|| ());
            drop(code);
            if run { inside.run() } else { inside.block() }
        })
    };
    let (blocked, running) = (start(false).until_in(libc::SYS_poll), start(true).until_running());
    assert_eq!(held(&code, blocked.thread), None);
    assert_eq!(held(&code, running.thread), None);
    blocked.end();
    running.end();
}

#[test]
fn the_caller_holds_what_called_it() {
    // Made elsewhere, so that no word of it is left on this stack.
    let make = || std::thread::spawn(Code::new).join().unwrap();
    let (code, other, this) = (make(), make(), this_thread());
    code.call(|| {
        assert_eq!(held(&code, this), Some(Code::RETURN));
        assert_eq!(held(&other, this), None);
    });
}

#[test]
fn fifty_threads_hold_their_own() {
    let codes: Vec<Arc<Code>> = (0..50).map(|_| Code::new()).collect();
    let others: Vec<Other> = codes
        .iter()
        .enumerate()
        .map(|(number, code)| {
            let code = code.clone();
            Other::start(move |inside| {
                code.call(|| if number % 8 == 0 { inside.run() } else { inside.block() })
            })
        })
        .collect();
    let all: Vec<&Code> = codes.iter().map(|code| &**code).collect();
    let ours = |thread: i32| others.iter().any(|other| other.thread == thread);
    let mut answers = ask(&all);
    let late = Instant::now() + PATIENCE;
    while answers[0].0.silent.iter().any(|silent| ours(silent.thread)) && Instant::now() < late {
        answers = ask(&all);
    }
    for ((findings, _), other) in answers.into_iter().zip(&others) {
        assert!(!findings.silent.iter().any(|s| ours(s.thread) || s.thread == 0), "{:?}", findings.silent);
        let by: Vec<i32> = findings.hits.iter().map(|hit| hit.thread).filter(|t| ours(*t)).collect();
        assert_eq!(by, [other.thread]);
    }
    others.into_iter().for_each(Other::end);
}

#[test]
fn threads_may_start_and_end_all_the_time() {
    let code = Code::new();
    let hold = |run: bool| {
        let code = code.clone();
        Other::start(move |inside| code.call(|| if run { inside.run() } else { inside.block() }))
    };
    let (blocked, running) = (hold(false), hold(true));
    let stop = Arc::new(AtomicBool::new(false));
    let churn: Vec<_> = (0..3)
        .map(|_| {
            let (stop, code) = (stop.clone(), code.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let code = code.clone();
                    let short: Vec<_> = (0..4)
                        .map(|_| {
                            let code = code.clone();
                            std::thread::spawn(move || code.call(std::thread::yield_now))
                        })
                        .collect();
                    short.into_iter().for_each(|thread| thread.join().unwrap());
                }
            })
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        assert_eq!(held(&code, blocked.thread), Some(Code::RETURN));
        assert_eq!(held(&code, running.thread), Some(Code::RETURN));
    }
    stop.store(true, Ordering::Relaxed);
    churn.into_iter().for_each(|thread| thread.join().unwrap());
    blocked.end();
    running.end();
}

#[test]
fn a_fork_in_the_middle_is_no_harm() {
    let stop = Arc::new(AtomicBool::new(false));
    let asking = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let code = Code::new();
            while !stop.load(Ordering::Relaxed) {
                ask(&[&code]);
            }
        }
    });
    let code = Code::new();
    for _ in 0..20 {
        // SAFETY: the child runs code that takes no lock but those of the library and of the
        // C library's memory, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends this process, should it wait for ever.
            unsafe { libc::alarm(300) };
            let mut status = 9;
            code.call(|| {
                let findings = ask(&[&code]).remove(0).0;
                let ours = |hit: &Hit| hit.thread == this_thread();
                status = i32::from(!findings.silent.is_empty())
                    + 8 * i32::from(findings.odd_stack.is_some())
                    + 2 * i32::from(!findings.hits.iter().any(ours))
                    + 4 * i32::from(!findings.hits.iter().all(ours));
            });
            // SAFETY: ends the process.
            unsafe { libc::_exit(status) };
        }
        let mut status = -1;
        // SAFETY: our child.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0, "{:?}", libc::WEXITSTATUS(status));
    }
    stop.store(true, Ordering::Relaxed);
    asking.join().unwrap();
}

#[test]
fn threads_have_names() {
    let (named, is_named) = channel();
    let (end, is_end) = channel::<()>();
    let thread = std::thread::Builder::new().name("a name".into()).spawn(move || {
        named.send(this_thread()).unwrap();
        let _ = is_end.recv();
    });
    let number = is_named.recv().unwrap();
    assert_eq!(thread_name(number).as_deref(), Some("a name"));
    drop(end);
    thread.unwrap().join().unwrap();
    assert_eq!(thread_name(i32::MAX), None);
}

/// For the figures: `cargo test --release --lib cost_of -- --ignored --nocapture --test-threads=1`.
#[test]
#[ignore = "measures"]
fn cost_of_a_question() {
    let codes: Vec<Arc<Code>> = (0..64).map(|_| Code::new()).collect();
    let all: Vec<&Code> = codes.iter().map(|code| &**code).collect();
    for (threads, run) in [(0, false), (1, false), (16, false), (64, false), (1, true), (16, true)] {
        let others: Vec<Other> = (0..threads)
            .map(|_| Other::start(move |inside| if run { inside.run() } else { inside.block() }))
            .collect();
        std::thread::sleep(Duration::from_millis(20));
        let mut times: Vec<Duration> = (0..201)
            .map(|_| {
                let start = Instant::now();
                ask(&all);
                start.elapsed()
            })
            .collect();
        times.sort();
        let what = if run { "running" } else { "blocked" };
        eprintln!("{threads:3} {what}: median {:?}, p95 {:?}, max {:?}", times[100], times[190], times[200]);
        others.into_iter().for_each(Other::end);
    }
}
