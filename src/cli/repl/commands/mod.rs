//! The commands of a session, which begin with a colon.
//!
//! Owns their names, what `:help` says of each, and what a word that is none might have been meant
//! to be. What they do is in a file a group.

mod back;
mod code;
mod listing;
mod measuring;
mod storing;

use super::session::{Failed, Flow, Session};
use super::syntax::Item;

type Run = fn(&mut Session, &str) -> Result<Flow, Failed>;

/// A command: its name, its arguments, what it does, and how.
pub struct Command {
    pub name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: Run,
}

/// All of them, in the order of `:help`.
pub const COMMANDS: &[Command] = &[
    command("undo", "[N]", "take back the last N inputs that defined something", back::undo),
    command("drop", "NAME", "take back a definition that nothing else uses", back::drop),
    command(
        "reset",
        "[NAME...]",
        "give variables their first values again; without names, forget everything",
        back::reset,
    ),
    command("list", "", "what is defined", listing::list),
    command("history", "", "the inputs so far", listing::history),
    command("source", "NAME", "the text of a definition", listing::source),
    command("type", "EXPR", "the type of an expression, which is not evaluated", measuring::kind),
    command("time", "EXPR", "evaluate once and say how long that took", measuring::time),
    command("bench", "EXPR", "evaluate again and again and say how long it takes", measuring::bench),
    command("ir", "NAME", "the LLVM IR of a function or variable", code::ir),
    command("asm", "NAME", "its assembly", code::asm),
    command(
        "load",
        "FILE|-lNAME",
        "load a .c, .ll, .bc or .o file, or a shared library; again to re-load it",
        storing::load,
    ),
    command("save", "FILE", "write all definitions to a C file", storing::save),
    command("help", "[COMMAND]", "this list", help),
    command("quit", "[CODE]", "end the session", quit),
];

const fn command(name: &'static str, arguments: &'static str, help: &'static str, run: Run) -> Command {
    Command { name, arguments, help, run }
}

/// Runs a command.
pub fn run(session: &mut Session, item: &Item) -> Result<Flow, Failed> {
    let line = item.text.trim().trim_start_matches(':');
    let (name, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match find(name) {
        Some(command) => (command.run)(session, arguments.trim()),
        None => {
            let near = COMMANDS.iter().map(|c| (distance(c.name, name), c.name)).min();
            let hint = near
                .filter(|(distance, _)| *distance <= 2)
                .map(|(_, near)| format!(": did you mean :{near}?"));
            let hint = hint.unwrap_or_else(|| ": see :help".to_owned());
            session.console.error(&format!("there is no command :{name}{hint}"));
            Err(Failed)
        }
    }
}

/// By its name or what only it begins with.
fn find(name: &str) -> Option<&'static Command> {
    let exact = COMMANDS.iter().find(|command| command.name == name);
    exact.or_else(|| {
        let mut starts = COMMANDS.iter().filter(|command| command.name.starts_with(name));
        starts.next().filter(|_| !name.is_empty() && starts.next().is_none())
    })
}

fn help(session: &mut Session, about: &str) -> Result<Flow, Failed> {
    let about = about.trim_start_matches(':');
    let is_wanted =
        |command: &&Command| about.is_empty() || find(about).is_some_and(|c| c.name == command.name);
    let lines: String = COMMANDS
        .iter()
        .filter(is_wanted)
        .map(|c| format!("  {:24}{}\n", format!(":{} {}", c.name, c.arguments), c.help))
        .collect();
    if lines.is_empty() {
        session.console.error(&format!("there is no command :{about}: see :help"));
        return Err(Failed);
    }
    if about.is_empty() {
        session.console.answer("C: definitions, statements, and expressions, whose value is shown\n");
    }
    session.console.answer(&lines);
    Ok(Flow::On)
}

fn quit(session: &mut Session, code: &str) -> Result<Flow, Failed> {
    match code {
        "" => Ok(Flow::End(None)),
        code => match code.parse() {
            Ok(code) => Ok(Flow::End(Some(code))),
            Err(_) => {
                session.console.error(&format!("an exit code is a number from 0 to 255, not {code}"));
                Err(Failed)
            }
        },
    }
}

/// How many letters have to be put in, taken out, or be others.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_near() {
        assert_eq!(distance("undo", "undo"), 0);
        assert_eq!(distance("undo", "udno"), 2);
        assert_eq!(distance("history", "hitory"), 1);
        assert_eq!(find("un").map(|c| c.name), Some("undo"));
        assert!(find("l").is_none() && find("").is_none());
    }
}
