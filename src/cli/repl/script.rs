//! Inputs by lines: from a pipe or a file, or from a terminal that cannot do better.
//!
//! Owns how a script is taken apart: a line at a time, and no byte further, because what follows
//! an input is the program's to read.

use std::io::Write;

use super::syntax::{self, Known};

/// The next input of stdin; nothing at its end. Somebody who types gets a prompt.
pub fn read(known: &dyn Known, prompts: bool) -> Option<String> {
    let mut input = String::new();
    loop {
        if prompts {
            let prompt = if input.is_empty() { "hotslot> " } else { "    ...> " };
            let mut stdout = std::io::stdout().lock();
            let _ = stdout.write_all(prompt.as_bytes()).and_then(|()| stdout.flush());
        }
        let line = line()?;
        let is_end = line.is_empty();
        input.push_str(&line);
        // Who types an empty line wants to be told what is missing.
        let is_enough = prompts && line.trim().is_empty();
        if is_end || is_enough || syntax::is_complete(&input, known) {
            return Some(input).filter(|input| !input.is_empty());
        }
    }
}

/// A line of stdin, with its end.
pub fn line() -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\n") {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Ok(0) => break,
            Ok(_) => bytes.push(byte[0]),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
