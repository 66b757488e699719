//! Splits a string of flags into words, the way a POSIX shell splits a line.
//!
//! Quotes and backslashes only: nothing is expanded, there are no comments and
//! no operators.

/// The words of `line`, or what is wrong with it.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    // `None` between words; `""` is a word, so an empty string does not mean that.
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => quoted(&mut rest, word.get_or_insert_default())?,
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => match rest.next() {
                // A backslash before a line end joins the lines.
                Some('\n') => {}
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err(format!("backslash at the end of `{line}`")),
            },
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Takes everything up to the closing single quote as it is.
fn quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    for c in rest {
        if c == '\'' {
            return Ok(());
        }
        word.push(c);
    }
    Err("a ' is not closed".to_owned())
}

/// Between double quotes a backslash is special only before `"`, `\`, `$`, a
/// backquote and a line end.
fn double_quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok(()),
            '\\' => match rest.next() {
                Some(next @ ('"' | '\\' | '$' | '`')) => word.push(next),
                Some('\n') => {}
                Some(next) => word.extend(['\\', next]),
                None => break,
            },
            _ => word.push(c),
        }
    }
    Err("a \" is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn like_a_shell() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  -g \t -Wall ", &["-g", "-Wall"]),
            (r#"-DNAME="a b""#, &["-DNAME=a b"]),
            (r#"'-DTEXT="x y"'"#, &[r#"-DTEXT="x y""#]),
            (r#"-DTEXT=\"x\""#, &[r#"-DTEXT="x""#]),
            (r"-I/a\ b", &["-I/a b"]),
            (r#""a\b\\c\"d""#, &[r#"a\b\c"d"#]),
            (r"'a\b'", &[r"a\b"]),
            ("'' x", &["", "x"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("one\\\ntwo", &["onetwo"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).unwrap(), *words, "{line}");
        }
    }

    #[test]
    fn open_quotes_are_refused() {
        for line in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
