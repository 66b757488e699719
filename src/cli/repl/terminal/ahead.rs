//! What was typed while an input ran.
//!
//! Owns reading it before the editor starts: that takes an end of a line that was typed then for
//! Ctrl-J, and loses what came together with it.

use std::collections::VecDeque;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;

/// Whole lines, the first typed first. Half a line stays with the terminal, which hands it to the
/// editor.
#[derive(Default)]
pub struct Ahead {
    lines: VecDeque<String>,
    begun: Vec<u8>,
}

impl Ahead {
    /// Reads what there is. The terminal is in line mode.
    pub fn take(&mut self) {
        let mut buffer = [0; 4096];
        while is_there() {
            match rustix::io::read(stdin(), &mut buffer) {
                // The end is for the editor to find again.
                Ok(0) | Err(_) => return,
                Ok(count) => self.add(&buffer[..count]),
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            self.lines.push_back(String::from_utf8_lossy(&line[..end]).into_owned());
        }
    }

    /// The next line, without its end.
    pub fn next(&mut self) -> Option<String> {
        self.lines.pop_front()
    }
}

fn is_there() -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut files = [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)];
    poll(&mut files, Some(&now)).is_ok_and(|count| count > 0) && files[0].revents().contains(PollFlags::IN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole() {
        let mut ahead = Ahead::default();
        ahead.add(b"f(1)\nint x");
        assert_eq!(ahead.next().as_deref(), Some("f(1)"));
        assert_eq!(ahead.next(), None);
        ahead.add(b";\n\n");
        assert_eq!((ahead.next().as_deref(), ahead.next().as_deref()), (Some("int x;"), Some("")));
    }
}
