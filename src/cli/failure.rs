//! Why a command stopped: one message, perhaps several lines of findings, and a
//! hint that says what to do.
//!
//! It knows how a failure looks on stderr, not where it came from.

use super::names;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    lines: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure with one message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { lines: vec![message.into()], hint: None }
    }

    /// Several findings of equal rank, as a linker lists them.
    pub fn list(lines: Vec<String>) -> Self {
        Self { lines, hint: None }
    }

    /// Several failures as one, with the first hint among them; `None` when there
    /// are none.
    pub fn all(failures: Vec<Failure>) -> Option<Self> {
        failures.into_iter().reduce(|mut all, next| {
            all.lines.extend(next.lines);
            all.hint = all.hint.or(next.hint);
            all
        })
    }

    /// Adds what the user can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was found, a line each.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What the user can do about it.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The text for stderr: each finding and the hint on a line of its own with
    /// the command's name in front.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str("hotslot: ");
            text.push_str(&names::readable(line));
            text.push('\n');
        }
        if let Some(hint) = &self.hint {
            text.push_str("hotslot: hint: ");
            text.push_str(&names::readable(hint));
            text.push('\n');
        }
        text
    }
}

impl From<hotslot::Error> for Failure {
    fn from(error: hotslot::Error) -> Self {
        // A line a problem, and what to do about them once, not with each.
        let mut hints: Vec<String> = error.problems().filter_map(advice).collect();
        hints.dedup();
        let failure = Self::list(error.problems().map(|problem| format!("{problem:#}")).collect());
        match hints.as_slice() {
            [] => failure,
            hints => failure.hint(hints.join("; ")),
        }
    }
}

/// What the library calls things, and what they are to whoever uses the command.
const WORDS: &[(&str, &str)] = &[
    ("see Runtime::history; Builder::history says", "see `hotslot ctl PATH history`; --keep says"),
    (", or have them rebuilt (Update::rebuild_callers)", ": save or swap those files too"),
    ("Runtime::pending says by whom", "`hotslot ctl PATH pending` says by whom"),
    ("or raise Builder::retained_limit", "or start the program anew"),
    (
        "Update::reset, Update::migrate",
        "--watch --on-incompatible reset, or a HOTSLOT_MIGRATION in the program",
    ),
    (
        "allow it where no such objects live on: Update::keep_tables(false)",
        "start the program anew; where no such objects live on, --on-incompatible reset lets it go live",
    ),
    ("(Builder::arena_size)", "(--arena)"),
    ("open it with Runtime::open_library, or -l", "name it with -l"),
    ("as it is defined (Runtime::declarations), or change both in one update", "as it is defined"),
    ("load it as IR, or define it by Runtime::define; otherwise declare it yourself", "declare it"),
    ("use load to add it", "`hotslot ctl PATH status` lists those there are"),
    ("use replace to change it, or another name", "give it another name"),
];

/// What to do about a problem of the library's, in terms of the command.
pub fn advice(error: &hotslot::Error) -> Option<String> {
    error.advice().map(of_the_command)
}

/// A problem of the library's on one line, what to do about it included.
pub fn in_a_line(error: &hotslot::Error) -> String {
    let problem = |one: &hotslot::Error| match advice(one) {
        Some(advice) => format!("{one:#}; {advice}"),
        None => format!("{one:#}"),
    };
    error.problems().map(problem).collect::<Vec<_>>().join("\n")
}

fn of_the_command(text: &str) -> String {
    WORDS.iter().fold(text.to_owned(), |text, (library, command)| text.replace(library, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of the library, line by line.
    fn texts(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "cli" && name != "tests") {
                texts(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
                // A text may begin on the line before.
                let is_text = |line: &&str| line.contains('"') || line.ends_with('\\');
                found.extend(lines.filter(is_text).map(str::to_owned));
            }
        }
    }

    #[test]
    fn no_hint_speaks_of_the_librarys_items() {
        let mut found = Vec::new();
        texts(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 500, "{}", found.len());
        let items = ["Runtime::", "Update::", "Builder::", "Hooks::"];
        let names = |text: &str| {
            let quoted =
                text.split('"').skip(1).step_by(2).any(|text| items.iter().any(|i| text.contains(i)));
            quoted || text.ends_with('\\') && items.iter().any(|item| text.contains(item))
        };
        let named: Vec<&String> = found.iter().filter(|text| names(text)).collect();
        assert!(named.len() > 5, "{named:?}");
        for text in named {
            assert!(!names(&of_the_command(text)), "words are missing for {text}");
        }
        for (library, _) in WORDS {
            assert!(found.iter().any(|text| text.contains(library)), "nobody says {library}");
        }
    }

    #[test]
    fn every_line_carries_the_prefix() {
        let failure = Failure::list(vec!["one".into(), "two".into()]).hint("do this");
        assert_eq!(failure.render(), "hotslot: one\nhotslot: two\nhotslot: hint: do this\n");
    }
}
