//! A test that looks at what its whole process has: it runs in one of its own.

use std::process::Command;

/// Runs `work` in a process where no other test runs. `name` is the calling test's.
pub fn alone(name: &str, work: impl FnOnce()) {
    const ALONE: &str = "HOTSLOT_TEST_ALONE";
    if std::env::var(ALONE).is_ok_and(|alone| alone == name) {
        return work();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", name, "--nocapture"]).env(ALONE, name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
