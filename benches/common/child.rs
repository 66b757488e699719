//! Measurements in a process of their own.
//!
//! A child is this same binary with a hidden argument. It prints one `name value` pair a
//! line; the parent gets them as a map.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// The hidden argument that makes this binary a child.
pub const FLAG: &str = "--child";

/// What a child measured, by name.
pub type Values = BTreeMap<String, f64>;

/// Runs the measurement `name` in a new process.
pub fn run(name: &str, arguments: &[&str]) -> Values {
    let binary = std::env::current_exe().expect("a process knows its own binary");
    let output = Command::new(binary)
        .arg(FLAG)
        .arg(name)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("the benchmark can start itself");
    assert!(output.status.success(), "measurement {name} {arguments:?} failed: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let pair = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// Hands a value to the parent.
pub fn tell(name: &str, value: f64) {
    println!("{name} {value}");
}
