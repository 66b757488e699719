//! What is said over the control socket: requests and answers, as lines of JSON.
//!
//! Owns the names and shapes of both, which editor plug-ins rely on: fields are added, never
//! changed, as long as [`VERSION`] stays. `docs/hot-reload-control.md` has an example of each,
//! and a test compares. Knows nothing of sockets or of how anything is done.

use serde::{Deserialize, Serialize};

use super::super::watch::OpenUnit;

/// Goes up when something changes that an older client would misunderstand.
pub const VERSION: u32 = 1;

/// A line to the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The version that whoever asks has been written for.
    #[serde(rename = "hotslot", default = "current")]
    pub version: u32,
    /// Comes back with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// A line from the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The version of this answer.
    #[serde(rename = "hotslot")]
    pub version: u32,
    /// That of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What is answered.
    #[serde(flatten)]
    pub answer: Answer,
}

fn current() -> u32 {
    VERSION
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// What runs.
    Status,
    /// The generations of a module that are in memory, or those of every module.
    History {
        /// The module.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        module: Option<String>,
    },
    /// Replace modules by what files hold now: one update.
    Swap {
        /// At least one.
        files: Vec<Replacement>,
    },
    /// Return to an earlier generation, the one before the live one if none is named.
    Rollback {
        /// The module.
        module: String,
        /// The generation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
    },
    /// What was replaced and cannot be freed yet, and who holds it.
    Pending,
    /// Free what nobody holds.
    Reclaim,
    /// Compile a module again from its file, or every module if none is named.
    Rebuild {
        /// The module.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        module: Option<String>,
    },
    /// Take the last update back.
    Undo,
    /// Say what becomes of an update that does not fit, where `--on-incompatible ask` waits for
    /// that.
    Decide {
        /// What.
        decision: Decision,
    },
    /// End the program, as Ctrl-C would.
    Quit,
}

/// What becomes of an update that does not fit what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The old code stays
    Refuse,
    /// Variables that do not fit start anew
    Reset,
    /// The program starts anew
    Restart,
}

/// A file that a module is replaced by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// Its path, absolute or from the program's folder at its start.
    pub file: String,
    /// The module; the one that was made of this file if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

/// What can be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// To `status`.
    Status(Status),
    /// To `history`.
    History {
        /// In the order of their names.
        modules: Vec<ModuleHistory>,
    },
    /// To `swap`, `rollback`, `rebuild` and `undo`: it is live.
    Updated(Updated),
    /// To the same: everything is as it was.
    Refused(Refused),
    /// To the same where the program runs with `--watch`: what its events say of it.
    Told {
        /// It was done.
        ok: bool,
        /// The line that the terminal got.
        text: String,
        /// The event, as `--events` has it.
        event: serde_json::Value,
    },
    /// To `pending`.
    Pending {
        /// What waits to be freed.
        generations: Vec<PendingGeneration>,
        /// Bytes of all of it.
        bytes: usize,
    },
    /// To `reclaim`.
    Reclaimed {
        /// Generations freed.
        generations: usize,
        /// Bytes freed.
        bytes: usize,
        /// Bytes that are still held.
        pending_bytes: usize,
    },
    /// To `quit`: the last line before the program ends.
    Quitting,
    /// The request makes no sense, or there is nothing to do for it.
    Failed(Problem),
}

/// What runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The process.
    pub process: u32,
    /// The program's name.
    pub program: String,
    /// How long it has been running.
    pub seconds: u64,
    /// Whether saved files are noticed.
    pub watching: bool,
    /// Whether an update that does not fit waits for `decide`.
    #[serde(default)]
    pub undecided: bool,
    /// Units that are not what their files say, and why not.
    #[serde(default)]
    pub not_live: Vec<OpenUnit>,
    /// Updates made.
    pub updates: u64,
    /// Whether an update waits for the program's next safe point.
    pub waiting: bool,
    /// In the order of their names.
    pub modules: Vec<ModuleStatus>,
    /// Bytes of machine code.
    pub code_bytes: usize,
    /// Bytes of variables.
    pub variable_bytes: usize,
    /// Generations that can be returned to.
    pub past: usize,
    /// Bytes that were replaced and cannot be freed yet.
    pub pending_bytes: usize,
}

/// A module that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleStatus {
    /// Its name.
    pub module: String,
    /// Its live generation.
    pub generation: u64,
}

/// The generations of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleHistory {
    /// Its name.
    pub module: String,
    /// Oldest first.
    pub generations: Vec<PastGeneration>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastGeneration {
    /// Its number.
    pub generation: u64,
    /// Whether it is the one that runs.
    pub live: bool,
    /// Tells one source from another, in hexadecimal.
    pub source: String,
    /// Bytes of memory that it takes.
    pub bytes: usize,
    /// Functions that the generation before did not have.
    pub new_functions: Vec<String>,
    /// Functions that have other code than in the generation before.
    pub changed_functions: Vec<String>,
    /// Functions that only the generation before had.
    pub removed_functions: Vec<String>,
}

/// An update that is live.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Updated {
    /// Whether anything that runs is another thing now.
    pub effect: bool,
    /// The modules, in the order of the update.
    pub modules: Vec<ModuleChange>,
    /// Modules that are no longer there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// What whoever asked should know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the compiler had to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub compiler: String,
    /// Where the time went.
    pub times: Milliseconds,
}

/// A module of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleChange {
    /// Its name.
    pub module: String,
    /// Its generation now.
    pub generation: u64,
    /// Whether that is an earlier one.
    #[serde(default)]
    pub restored: bool,
    /// Functions that were not there before.
    #[serde(default)]
    pub new_functions: Vec<String>,
    /// Functions that have other code than before.
    #[serde(default)]
    pub changed_functions: Vec<String>,
    /// Functions that are no longer there.
    #[serde(default)]
    pub removed_functions: Vec<String>,
    /// Variables that were not there before.
    #[serde(default)]
    pub new_variables: Vec<String>,
    /// Variables that have their initial value again.
    #[serde(default)]
    pub reset_variables: Vec<String>,
    /// Variables that were given a new form.
    #[serde(default)]
    pub migrated_variables: Vec<String>,
    /// Variables whose new initial value has no effect, as they keep the one they have.
    #[serde(default)]
    pub ineffective_variables: Vec<String>,
}

/// Where the time of an update went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Milliseconds {
    /// From source to bitcode.
    pub front_end: f64,
    /// From bitcode to machine code, over all modules.
    pub code: f64,
    /// Linking.
    pub link: f64,
    /// Making it live.
    pub publish: f64,
    /// Waiting for the program's safe point.
    pub waited: f64,
    /// From the request to its answer.
    pub total: f64,
}

/// An update that was not made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What kind of reason there is.
    pub why: Why,
    /// Every problem, at least one.
    pub problems: Vec<Problem>,
    /// What the compiler had to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub compiler: String,
}

/// Why an update was not made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The compiler refused a source.
    CompileError,
    /// Types of functions or the layout of variables do not fit what runs.
    Incompatible,
    /// A symbol is missing or there twice, or an object cannot be linked.
    LinkError,
    /// The program came to no safe point in time.
    NoSafePoint,
    /// There is nothing to be done.
    Nothing,
    /// Anything else: no such module or generation, no memory.
    #[default]
    Other,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What.
    pub message: String,
    /// The module concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The file concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The function or variable concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What waits to be freed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingGeneration {
    /// The module.
    pub module: String,
    /// Its generation.
    pub generation: u64,
    /// Bytes of memory that it takes.
    pub bytes: usize,
    /// Threads that may still run it.
    pub holders: Vec<ThreadHolding>,
    /// What else keeps it; empty if nothing does.
    pub kept_because: String,
}

/// A thread that may still run replaced code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadHolding {
    /// The kernel's number of it; 0 for a context that no thread is in.
    pub thread: i32,
    /// Its name.
    pub name: String,
    /// The function it is in or will return to.
    pub function: String,
}

impl Answer {
    /// An answer with a message alone.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Problem { message: message.into(), ..Problem::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const DOCUMENTED: &str = include_str!("../../../docs/hot-reload-control.md");

    /// The lines of the page that begin so, as JSON.
    fn examples(start: &str) -> Vec<Value> {
        let lines = DOCUMENTED.lines().filter_map(|line| line.strip_prefix(start));
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// The names that a tagged type goes by.
    fn names(what: &str, error: &str) -> BTreeSet<String> {
        let names = error.split('`').skip(1).step_by(2).map(str::to_owned);
        let names: BTreeSet<String> = names.filter(|name| name != "?").collect();
        assert!(names.len() > 5, "{what}: {error}");
        names
    }

    #[test]
    fn every_request_and_answer_is_documented_as_it_is() {
        let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for example in examples("> ") {
            asked.insert(example["ask"].as_str().unwrap().to_owned());
            let request: Request = serde_json::from_value(example.clone()).unwrap();
            assert_eq!(serde_json::to_value(request).unwrap(), example);
        }
        for mut example in examples("< ") {
            answered.insert(example["answer"].as_str().unwrap().to_owned());
            let reply: Reply = serde_json::from_value(example.clone()).unwrap();
            // What is empty is left out.
            if example["compiler"] == "" {
                example.as_object_mut().unwrap().remove("compiler");
            }
            assert_eq!(serde_json::to_value(reply).unwrap(), example);
        }
        // The parser lists those there are.
        let error = serde_json::from_str::<Ask>("{\"ask\":\"?\"}").unwrap_err().to_string();
        assert_eq!(asked, names("requests", &error));
        let error = serde_json::from_str::<Answer>("{\"answer\":\"?\"}").unwrap_err().to_string();
        assert_eq!(answered, names("answers", &error));
    }

    #[test]
    fn what_can_be_left_out() {
        let request: Request = serde_json::from_str("{\"ask\":\"status\",\"more\":1}").unwrap();
        assert_eq!(request, Request { version: VERSION, id: None, ask: Ask::Status });
    }
}
