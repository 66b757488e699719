//! What compilers say in colours, for those who have no terminal.

/// What a compiler said, without colours.
pub fn plain(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        // Up to the letter that ends it.
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go() {
        assert_eq!(plain(b"\x1b[1ma.c:1: \x1b[0m\x1b[0;1;31merror: \x1b[0mno\x1b[K\n"), "a.c:1: error: no\n");
        assert_eq!(plain(b"plain [x]\n"), "plain [x]\n");
        assert_eq!(plain(b"\x1b["), "");
        assert_eq!(plain(b"\x1b[1ma.c:1:2: \x1b[0m\x1b[0;1;31merror: \x1b[0mno"), "a.c:1:2: error: no");
    }
}
