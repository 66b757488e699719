//! Inputs from a pipe or a file, which nobody edits.
//!
//! Owns how a script is taken apart: a line at a time, and no byte further, because what follows
//! an input is the program's to read.

use super::syntax::{self, Known};

/// The next input of stdin; nothing at its end.
pub fn read(known: &dyn Known) -> Option<String> {
    let mut input = String::new();
    loop {
        let line = line()?;
        let is_end = line.is_empty();
        input.push_str(&line);
        if is_end || syntax::is_complete(&input, known) {
            return Some(input).filter(|input| !input.is_empty());
        }
    }
}

fn line() -> Option<String> {
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
