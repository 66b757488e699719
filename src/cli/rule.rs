//! Reads the rule of a dependency file: which files the compiler has read.
//!
//! Knows how clang quotes names in it, and nothing else. A name that was read wrongly is the
//! name of no file, which whoever asked notices.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The files of `target: file file`, in order, with the backslashes taken away that clang put
/// there; nothing where there is no rule.
pub fn files(text: &[u8]) -> Option<Vec<PathBuf>> {
    let start = text.windows(2).position(|pair| pair[0] == b':' && pair[1].is_ascii_whitespace())?;
    let mut files = Vec::new();
    let mut name: Vec<u8> = Vec::new();
    let mut rest = text[start + 1..].iter().copied().peekable();
    let mut end = |name: &mut Vec<u8>| {
        if !name.is_empty() {
            files.push(PathBuf::from(OsString::from_vec(std::mem::take(name))));
        }
    };
    while let Some(byte) = rest.next() {
        match (byte, rest.peek()) {
            (b'\\', Some(b'\n')) => {
                rest.next();
                end(&mut name);
            }
            (b'\\', Some(b' ' | b'#')) | (b'$', Some(b'$')) => name.extend(rest.next()),
            (b' ', _) => end(&mut name),
            // Of more rules there is none.
            (b'\n', _) => break,
            _ => name.push(byte),
        }
    }
    end(&mut name);
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::files;

    #[test]
    fn names_come_back() {
        let text = b"a b.o: a\\ b.c /usr/include/x.h \\\n  c\\#d.h $$e.h \\\n  a:b.h last.h\n";
        let read = files(text).unwrap();
        let names: Vec<_> = read.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, ["a b.c", "/usr/include/x.h", "c#d.h", "$e.h", "a:b.h", "last.h"]);
        assert_eq!(files(b""), None);
        assert_eq!(files(b"nothing"), None);
        assert!(files(b"x.o: \n").unwrap().is_empty());
    }
}
