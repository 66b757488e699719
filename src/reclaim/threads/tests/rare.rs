//! Threads in states that are rare: stopped, gone but listed, waiting for a child, in a process
//! that may not be looked into.

#![allow(unsafe_code)]

use super::*;

fn silent(findings: &Findings, thread: i32) -> bool {
    findings.silent.iter().any(|silent| silent.thread == thread)
}

/// Runs `check` in a forked process, with the answer as its status.
fn in_child(check: impl FnOnce() -> bool) {
    // SAFETY: the child runs code that takes no lock but those that survive a fork, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends this process, should it wait for ever.
        unsafe { libc::alarm(300) };
        let status = i32::from(!check());
        // SAFETY: ends the process.
        unsafe { libc::_exit(status) };
    }
    let mut status = -1;
    // SAFETY: our child.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(status, 0);
}

#[test]
fn a_first_thread_that_ended_is_no_obstacle() {
    in_child(|| {
        let first = this_thread();
        let check = move || {
            while task::status(first).is_some_and(|status| status.state != b'Z') {
                std::thread::sleep(Duration::from_millis(1));
            }
            let code = Code::new();
            let findings = ask(&[&code]).remove(0).0;
            let well = findings.silent.is_empty() && findings.odd_stack.is_none();
            // SAFETY: ends the process.
            unsafe { libc::_exit(i32::from(!well)) };
        };
        std::thread::spawn(check);
        // SAFETY: ends this thread, of which nothing is used any more.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
        false
    });
}

#[test]
fn a_process_that_may_not_be_looked_into() {
    in_child(|| {
        let code = Code::new();
        let start = |run: bool| {
            let code = code.clone();
            Other::start(move |inside| code.call(|| if run { inside.run() } else { inside.block() }))
        };
        let (blocked, running) = (start(false).until_in(libc::SYS_poll), start(true).until_running());
        // SAFETY: numbers. The files in /proc belong to root from then on, and this thread is
        // somebody else.
        unsafe {
            libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534);
            libc::prctl(libc::PR_SET_DUMPABLE, 0);
        }
        let unreadable = task::doing(blocked.thread) == Doing::Unreadable;
        let all_known = || {
            let findings = ask(&[&code]).remove(0).0;
            let held = |thread: i32| findings.hits.iter().any(|hit| hit.thread == thread);
            held(running.thread) && (held(blocked.thread) || silent(&findings, blocked.thread))
        };
        // On a busy machine the one that runs may answer late.
        let late = Instant::now() + PATIENCE;
        while !all_known() && Instant::now() < late {}
        let well = unreadable && all_known();
        // They end with the process.
        std::mem::forget((blocked, running));
        well
    });
}

#[test]
fn a_thread_whose_child_runs_on_its_memory_is_silent() {
    extern "C" fn child(pipe: *mut c_void) -> i32 {
        let mut byte = 0u8;
        // SAFETY: reads a byte from the pipe, until its end.
        unsafe { libc::syscall(libc::SYS_read, pipe as usize, &raw mut byte, 1) as i32 }
    }
    let mut pipe = [0; 2];
    // SAFETY: room for two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let other = Other::start(move |inside| {
        inside.ready();
        let mut stack = vec![0u8; 65536];
        // SAFETY: a stack of its own for a child that shares the memory; this waits for it.
        unsafe {
            let top = stack.as_mut_ptr().add(stack.len() - 64).cast();
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            let process = libc::clone(child, top, flags, pipe[0] as usize as *mut c_void);
            libc::waitpid(process, null_mut(), 0);
        }
    })
    .until_in(libc::SYS_clone);
    let code = Code::new();
    assert!(silent(&ask(&[&code])[0].0, other.thread));
    // SAFETY: a byte, and two descriptors of ours.
    unsafe {
        assert_eq!(libc::write(pipe[1], [1u8].as_ptr().cast(), 1), 1);
        other.end();
        libc::close(pipe[0]);
        libc::close(pipe[1]);
    }
}

#[test]
fn a_thread_that_a_debugger_stopped_is_silent() {
    let code = Code::new();
    let other = Other::start({
        let code = code.clone();
        move |inside| code.call(|| inside.block())
    })
    .until_in(libc::SYS_poll);
    let thread = other.thread;
    let mut pipe = [0; 2];
    // SAFETY: room for two descriptors, and a number.
    unsafe {
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY);
    }
    // SAFETY: the child makes system calls and ends.
    let debugger = unsafe { libc::fork() };
    if debugger == 0 {
        // SAFETY: as above. What it traces goes on when it ends.
        unsafe {
            libc::alarm(300);
            libc::close(pipe[1]);
            let attached = libc::ptrace(libc::PTRACE_SEIZE, thread, 0, 0) == 0
                && libc::ptrace(libc::PTRACE_INTERRUPT, thread, 0, 0) == 0;
            if !attached {
                libc::_exit(1);
            }
            let mut byte = 0u8;
            libc::read(pipe[0], (&raw mut byte).cast(), 1);
            libc::_exit(0);
        }
    }
    // SAFETY: ours.
    unsafe { libc::close(pipe[0]) };
    let stopped = || task::status(thread).is_some_and(|status| status.state == b't');
    let mut status = -1;
    // SAFETY: our child.
    let mut ended = || unsafe { libc::waitpid(debugger, &mut status, libc::WNOHANG) } == debugger;
    // Where tracing is forbidden it ends at once, and there is nothing to see.
    while !stopped() {
        if ended() {
            assert_ne!(status, 0);
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if status == -1 {
        assert!(silent(&ask(&[&code])[0].0, thread));
    }
    // SAFETY: ours, and our child if there is one still.
    unsafe {
        libc::close(pipe[1]);
        libc::waitpid(debugger, &mut status, 0);
    }
    other.end();
}

type Wait = Arc<dyn Fn() -> i32 + Send + Sync>;

#[test]
fn a_wait_that_the_signal_meets_after_all_goes_on() {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 200_000_000 };
    let waits: [(i64, Wait); 4] = [
        (libc::SYS_poll, Arc::new(|| poll(200))),
        // SAFETY: a time, and no place for the rest.
        (libc::SYS_clock_nanosleep, Arc::new(move || unsafe { libc::nanosleep(&time, null_mut()) })),
        (
            libc::SYS_pselect6,
            Arc::new(|| {
                let mut time = libc::timeval { tv_sec: 0, tv_usec: 200_000 };
                // SAFETY: a time, and no descriptors.
                unsafe { libc::select(0, null_mut(), null_mut(), null_mut(), &mut time) }
            }),
        ),
        (
            libc::SYS_epoll_wait,
            Arc::new(|| {
                let mut event = libc::epoll_event { events: 0, u64: 0 };
                // SAFETY: room for one event.
                unsafe {
                    let all = libc::epoll_create1(0);
                    let status = libc::epoll_wait(all, &mut event, 1, 200);
                    libc::close(all);
                    status
                }
            }),
        ),
    ];
    for (call, wait) in waits {
        // On a busy machine it may answer too late to be heard.
        let late = Instant::now() + PATIENCE;
        while !asked_in(call, wait.clone()) {
            assert!(Instant::now() < late, "system call {call}");
        }
    }
}

/// Asks a thread by signal while it is in `wait`, which must not notice; whether it has answered.
fn asked_in(call: i64, wait: Wait) -> bool {
    let code = Code::new();
    let (result, is_result) = channel();
    // First, because another test may have it for longer than the wait lasts.
    let mut line = forks::line();
    let other = Other::start({
        let code = code.clone();
        move |inside| {
            inside.ready();
            code.call(|| result.send((wait(), errno())).unwrap());
        }
    })
    .until_in(call);
    let wanted = Wanted::new(&[code.range()]);
    let question = Question::new(&mut line, &wanted).unwrap();
    let Question { line, signal, wanted, ref mappings, ref contexts, .. } = question;
    let memory = Memory { wanted, mappings, contexts, restorer: None };
    // As if it had been seen running a moment ago.
    let reply = line.ask(signal.unwrap(), &[(other.thread, true)], true, &memory).remove(0);
    let (status, error) = is_result.recv().unwrap();
    assert_eq!(status, 0, "system call {call} ended with error {error}");
    other.end();
    matches!(reply, Reply::All(_))
}
