//! A C file with its `#if`s decided.
//!
//! Owns what is left of a file's own text once the preprocessor has been over it: the branches that
//! were taken, each line where it was, with `#include` and `#define` as they stand. Macros are
//! expanded, which declarations do not mind. What the file includes is not in it.

/// Whether the text has branches at all; without, it is best read as it was written.
pub fn has_any(text: &str) -> bool {
    let directives = text.lines().filter_map(|line| line.trim_start().strip_prefix('#'));
    directives.into_iter().any(|line| line.trim_start().starts_with("if"))
}

/// What clang appends to a directive that it keeps.
const KEPT: &str = " /* clang -E -dI */";

/// The lines of the file itself among those of `clang -E -dD -dI`.
pub fn taken(preprocessed: &str) -> String {
    let mut own: Option<&str> = None;
    let (mut is_own, mut number, mut at) = (false, 1usize, 1usize);
    let mut text = String::new();
    for line in preprocessed.lines() {
        if let Some((to, file)) = marker(line) {
            is_own = *own.get_or_insert(file) == file;
            number = to;
            continue;
        }
        if is_own {
            // What was expanded over several lines may be further on already.
            while at < number {
                text.push('\n');
                at += 1;
            }
            text.push_str(line.strip_suffix(KEPT).unwrap_or(line));
            text.push('\n');
            at += 1;
            number += 1;
        }
    }
    text
}

/// The line and file that `# 12 "file.c" 2` says come next.
fn marker(line: &str) -> Option<(usize, &str)> {
    let (number, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (file, _) = rest.strip_prefix('"')?.rsplit_once('"')?;
    Some((number.parse().ok()?, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_where_they_were() {
        let said = "# 1 \"a.c\"\n# 1 \"<built-in>\" 1\n#define X 1\n# 1 \"a.c\" 2\n#include <b.h> /* clang -E -dI */\n\
                    # 1 \"a.c\"\n# 1 \"/b.h\" 1\nint b;\n# 2 \"a.c\" 2\n#define A 2\n# 5 \"a.c\"\nint a;\n";
        assert_eq!(taken(said), "#include <b.h>\n#define A 2\n\n\nint a;\n");
    }

    #[test]
    fn branches_are_seen() {
        assert!(has_any("int x;\n  # ifdef A\n#endif\n"));
        assert!(!has_any("#include <a.h>\n#define iffy 1\nint if_;\n"));
    }
}
