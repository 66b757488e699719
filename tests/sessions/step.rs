//! An edit of a session as data: what is done to which file, how it is saved, what has to come
//! of it.
//!
//! Knows texts only; who saves them and looks what happens is `play.rs`.

use std::collections::BTreeMap;

/// All files of a program by their paths below its folder.
pub type Files = BTreeMap<String, String>;

/// One edit of the session.
pub struct Step {
    /// For messages.
    pub name: &'static str,
    pub edits: Vec<Edit>,
    pub save: Save,
    /// Threads stop for it, and what lives from turn to turn is ended: old frames and objects
    /// would not be what the new code takes them for, or new objects are not made yet.
    pub at_rest: bool,
    /// The project's build system runs afterwards.
    pub configure: bool,
    pub expect: Expect,
    pub answer: Answer,
    /// What the answer must have in it.
    pub says: Vec<&'static str>,
}

/// What is done to a file.
pub enum Edit {
    /// The one place where the first text is gets the second.
    Sub(&'static str, &'static str, &'static str),
    /// At its end.
    Append(&'static str, &'static str),
    /// A new file, or other content.
    Put(&'static str, &'static str),
    Delete(&'static str),
    /// As it was at the session's begin.
    Revert(&'static str),
    /// All files as they were.
    RevertAll,
}

/// How an editor writes files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Save {
    /// Into a new file that is renamed over the old one.
    Rename,
    /// The old one is renamed, and a new one is written.
    Backup,
    /// Emptied, and written in pieces.
    Slowly,
    /// Several times with half of the new text before the new text.
    Often,
    /// In one write. What gets shorter is written as with `Rename`.
    Over,
}

/// What `--events` has to tell of it.
pub enum Expect {
    Live(Changes),
    /// The words have to be in the reason.
    NoEffect(&'static str),
    Unchanged,
    Reverted,
    /// The words have to be in clang's diagnostics.
    CompileError(&'static str),
    /// Kind and symbol of a problem.
    Refused(&'static str, &'static str),
    /// The same.
    LinkError(&'static str, &'static str),
    /// Whatever else happens: in the end the files' content is live.
    Eventually,
}

/// What has to be in the event `live`, over all its modules, separated by spaces and sorted; a
/// last `*` stands for more.
#[derive(Default)]
pub struct Changes {
    pub swapped: &'static str,
    pub new: &'static str,
    pub removed: &'static str,
    pub new_variables: &'static str,
    pub reset_variables: &'static str,
    pub kept_variables: &'static str,
    pub loaded: &'static str,
    pub unloaded: &'static str,
    /// How many modules are replaced at least.
    pub modules: usize,
}

/// What the program answers afterwards, besides what a fresh native build does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Something else than before.
    Changes,
    /// The same; there is no such native build.
    ChangesAlone,
    /// The same as before, also by a native build.
    Stays,
    /// The same as before; there is no such native build.
    StaysAlone,
    /// Native code says the first of each where the program, which kept its state, says the second.
    Keeps(&'static [(&'static str, &'static str)]),
}

/// An edit, to be completed by what it does and what comes of it.
pub fn step(name: &'static str) -> Step {
    Step {
        name,
        edits: Vec::new(),
        save: Save::Rename,
        at_rest: false,
        configure: false,
        expect: Expect::Eventually,
        answer: Answer::Changes,
        says: Vec::new(),
    }
}

impl Step {
    pub fn sub(self, file: &'static str, from: &'static str, to: &'static str) -> Self {
        self.edit(Edit::Sub(file, from, to))
    }

    pub fn append(self, file: &'static str, text: &'static str) -> Self {
        self.edit(Edit::Append(file, text))
    }

    pub fn put(self, file: &'static str, text: &'static str) -> Self {
        self.edit(Edit::Put(file, text))
    }

    pub fn delete(self, file: &'static str) -> Self {
        self.edit(Edit::Delete(file))
    }

    pub fn revert(self, file: &'static str) -> Self {
        self.edit(Edit::Revert(file))
    }

    pub fn revert_all(self) -> Self {
        self.edit(Edit::RevertAll)
    }

    fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    pub fn save(mut self, save: Save) -> Self {
        self.save = save;
        self
    }

    pub fn at_rest(mut self) -> Self {
        self.at_rest = true;
        self
    }

    pub fn configure(mut self) -> Self {
        self.configure = true;
        self
    }

    pub fn says(mut self, text: &'static str) -> Self {
        self.says.push(text);
        self
    }

    /// The program does the same as before.
    pub fn quietly(mut self) -> Self {
        self.answer = Answer::Stays;
        self
    }

    /// As `quietly`, where native code does something else.
    pub fn alone(mut self) -> Self {
        self.answer = Answer::StaysAlone;
        self
    }

    pub fn keeps(mut self, texts: &'static [(&'static str, &'static str)]) -> Self {
        self.answer = Answer::Keeps(texts);
        self
    }

    fn expect(mut self, expect: Expect, answer: Option<Answer>) -> Self {
        self.expect = expect;
        if let (Some(answer), Answer::Changes) = (answer, self.answer) {
            self.answer = answer;
        }
        self
    }

    /// These functions have new code.
    pub fn live(self, swapped: &'static str) -> Self {
        self.expect(Expect::Live(Changes { swapped, modules: 1, ..Changes::default() }), None)
    }

    pub fn live_with(self, changes: Changes) -> Self {
        self.expect(Expect::Live(changes), None)
    }

    /// Another file is broken, so there is no native build of this.
    pub fn beside(mut self) -> Self {
        self.answer = Answer::ChangesAlone;
        self
    }

    pub fn eventually(self) -> Self {
        self.expect(Expect::Eventually, None)
    }

    pub fn no_effect(self, why: &'static str) -> Self {
        self.expect(Expect::NoEffect(why), Some(Answer::Stays))
    }

    pub fn unchanged(self) -> Self {
        self.expect(Expect::Unchanged, Some(Answer::Stays))
    }

    pub fn reverted(self) -> Self {
        self.expect(Expect::Reverted, Some(Answer::Stays))
    }

    pub fn compile_error(self, says: &'static str) -> Self {
        self.expect(Expect::CompileError(says), Some(Answer::StaysAlone))
    }

    pub fn refused(self, kind: &'static str, symbol: &'static str) -> Self {
        self.expect(Expect::Refused(kind, symbol), Some(Answer::StaysAlone))
    }

    pub fn link_error(self, kind: &'static str, symbol: &'static str) -> Self {
        self.expect(Expect::LinkError(kind, symbol), Some(Answer::StaysAlone))
    }

    /// The files after this edit.
    pub fn apply(&self, files: &Files, original: &Files) -> Files {
        let mut files = files.clone();
        for edit in &self.edits {
            edit.apply(&mut files, original).unwrap_or_else(|why| panic!("{}: {why}", self.name));
        }
        files
    }
}

impl Edit {
    fn apply(&self, files: &mut Files, original: &Files) -> Result<(), String> {
        let missing = |file: &str| format!("there is no {file}");
        match *self {
            Edit::Sub(file, from, to) => {
                let text = files.get_mut(file).ok_or_else(|| missing(file))?;
                let count = text.matches(from).count();
                if count != 1 {
                    return Err(format!("{file} has {count} of `{from}`"));
                }
                *text = text.replacen(from, to, 1);
            }
            Edit::Append(file, end) => files.get_mut(file).ok_or_else(|| missing(file))?.push_str(end),
            Edit::Put(file, text) => _ = files.insert(file.to_owned(), text.to_owned()),
            Edit::Delete(file) => _ = files.remove(file).ok_or_else(|| missing(file))?,
            Edit::Revert(file) => {
                let text = original.get(file).ok_or_else(|| missing(file))?;
                files.insert(file.to_owned(), text.clone());
            }
            Edit::RevertAll => *files = original.clone(),
        }
        Ok(())
    }
}
