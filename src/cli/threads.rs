//! Which of the process's threads are the program's, and whether there are any left.
//!
//! Owns how our own are known: by their names. A thread that the program starts has a name that
//! it gave it, or that of the first one, which is the command's without more. And what those of
//! ours need that make updates.

use std::time::Duration;

/// Stack of a thread that compiles: LLVM's passes are recursive. Memory is used as it is filled.
pub const STACK: usize = 64 << 20;

/// How long the program's end waits for the update that is being made. Compiling a large module
/// takes its time, and LLVM must not be at work when its own destructors run.
pub const LAST_UPDATE: Duration = Duration::from_secs(60);

/// Whether the program's `main` has ended by `pthread_exit`, and all of its threads have. The C
/// library exits when the last thread ends, and ours would be that.
pub fn program_is_gone() -> bool {
    let path = format!("/proc/self/task/{}/stat", std::process::id());
    let Ok(stat) = std::fs::read_to_string(path) else { return false };
    // The state comes after the name, which is in parentheses.
    let main_has_ended = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
    main_has_ended && !others().unwrap_or(true)
}

/// Whether there is a thread that is not ours, beside the first one.
fn others() -> Option<bool> {
    let first = std::process::id().to_string();
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if task.file_name().to_str() != Some(&first) && !is_ours(&name) {
            return Some(true);
        }
    }
    Some(false)
}

/// `hotslot-watch` is, and `hotslot optimiser`; `hotslot` is the program's. One that has ended
/// meanwhile has no name any more.
fn is_ours(name: &str) -> bool {
    name.is_empty() || name.starts_with("hotslot-") || name.starts_with("hotslot ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_with_the_name_of_the_first_is_the_programs() {
        assert!(is_ours("hotslot-watch\n") && is_ours("hotslot optimise\n") && is_ours(""));
        assert!(!is_ours("hotslot\n") && !is_ours("worker\n"));
        assert!(!program_is_gone());
    }
}
