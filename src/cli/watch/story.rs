//! What the user reads of an event: one line on success, and what is needed otherwise.
//!
//! Owns the words and where colours go. Takes the same values that `--events` writes; where the
//! lines go is in `terminal.rs`.

use super::super::names;
use super::events::{Errors, Module, Refusal, Then, Times, Update, What};

/// With or without colours.
#[derive(Debug, Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn good(self, text: &str) -> String {
        self.with("1;32", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn odd(self, text: &str) -> String {
        self.with("1;33", text)
    }
}

/// The lines for an event; empty where there is nothing to say.
pub fn tell(what: &What, paint: Paint) -> String {
    names::readable(&told(what, paint)).into_owned()
}

fn told(what: &What, paint: Paint) -> String {
    match what {
        What::Live(update) => live(update, paint),
        What::NoEffect(update) => {
            let mut text =
                format!("{} {} · no effect\n", paint.odd("="), modules(&update.modules, &update.unloaded));
            update.why.iter().for_each(|why| text.push_str(&format!("  {why}\n")));
            text
        }
        What::CompileError(errors) => broken(errors, paint),
        What::Refused(refusal) => refused("refused", refusal, paint),
        What::LinkError(refusal) => refused("does not link", refusal, paint),
        What::Failed(refusal) => refused("failed", refusal, paint),
        What::Reverted { units } => {
            format!("{} {} · as what is live\n", paint.odd("="), some(units))
        }
        What::Undone { modules, unloaded, why } => {
            let mut names: Vec<String> =
                modules.iter().map(|one| format!("{} v{}", one.module, one.generation)).collect();
            names.extend(unloaded.iter().map(|name| format!("{name} gone")));
            let mut text = format!("{} {} · live again\n", paint.good("↶"), some(&names));
            why.iter().for_each(|why| text.push_str(&format!("  {why}\n")));
            text
        }
        What::Restart { why } => format!("{} restart: {why}\n", paint.odd("↻")),
        What::Note { text } => format!("hotslot: {text}\n"),
        What::Started { .. }
        | What::Unchanged { .. }
        | What::Compiling { .. }
        | What::Cancelled { .. }
        | What::Optimised { .. }
        | What::Crash(_) => String::new(),
    }
}

fn live(update: &Update, paint: Paint) -> String {
    let count = |list: fn(&Module) -> &Vec<String>| update.modules.iter().map(|m| list(m).len()).sum();
    let mut parts = Vec::new();
    let mut part = |count: usize, what: &str, noun: Option<[&str; 2]>| {
        let noun =
            noun.map_or(String::new(), |[one, many]| format!(" {}", if count == 1 { one } else { many }));
        if count > 0 {
            parts.push(format!("{count}{noun} {what}"));
        }
    };
    let swapped: usize = count(|m| &m.swapped);
    let function = Some(["function", "functions"]);
    part(swapped, "swapped", function);
    part(count(|m| &m.new), "new", function.filter(|_| swapped == 0));
    let any = swapped + count(|m: &Module| &m.new);
    part(count(|m| &m.removed), "removed", function.filter(|_| any == 0));
    let variable = Some(["variable", "variables"]);
    part(count(|m| &m.new_variables), "new", variable);
    part(count(|m| &m.reset_variables), "reset", variable);
    part(count(|m| &m.migrated_variables), "migrated", variable);
    let table = Some(["table of virtual functions", "tables of virtual functions"]);
    part(count(|m| &m.virtual_tables), "changed", table);
    part(update.unloaded.len(), "gone", Some(["module", "modules"]));
    let mut what = parts.join(", ");
    if what.is_empty() {
        what = "loaded".to_owned();
    }
    let mut text = format!(
        "{} {} · {what} · {} · {}\n",
        paint.good("✔"),
        modules(&update.modules, &update.unloaded),
        times(&update.times),
        paint.good("live"),
    );
    update.why.iter().for_each(|why| text.push_str(&format!("  {why}\n")));
    text
}

fn times(times: &Times) -> String {
    let Times { front_end_ms, code_ms, link_ms, .. } = times;
    format!("front end {} ms · code {} ms · link {} ms", ms(*front_end_ms), ms(*code_ms), ms(*link_ms))
}

/// As fine as it is worth.
fn ms(time: f64) -> String {
    if time < 9.95 { format!("{time:.1}") } else { format!("{time:.0}") }
}

/// The modules of an update, or how many.
fn modules(modules: &[Module], gone: &[String]) -> String {
    let names = modules.iter().map(|one| match one.generation {
        0 => one.module.clone(),
        generation => format!("{} v{generation}", one.module),
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() { some(gone) } else { some(&names) }
}

fn some(names: &[String]) -> String {
    match names {
        [one, two, three, _, ..] => format!("{one}, {two}, {three} and {} more", names.len() - 3),
        names => names.join(", "),
    }
}

/// What the compiler has said comes before this.
fn broken(errors: &Errors, paint: Paint) -> String {
    let mut text = String::new();
    let still: Vec<String> =
        errors.units.iter().filter(|one| one.still).map(|one| one.unit.clone()).collect();
    if !still.is_empty() {
        text.push_str(&format!(
            "  {} {} not compile as before\n",
            some(&still),
            plural(&still, "does", "do")
        ));
    }
    text.push_str(&waiting(&errors.waiting));
    let units: Vec<String> = errors.units.iter().map(|one| one.unit.clone()).collect();
    format!("{} {} · does not compile · the old code is still running\n{text}", paint.bad("✘"), some(&units))
}

fn waiting(units: &[String]) -> String {
    match units {
        [] => String::new(),
        units => format!("  {} {} for that\n", some(units), plural(units, "waits", "wait")),
    }
}

fn plural<'a>(names: &[String], one: &'a str, many: &'a str) -> &'a str {
    if names.len() == 1 { one } else { many }
}

fn refused(how: &str, refusal: &Refusal, paint: Paint) -> String {
    let then = match refusal.then {
        Then::Kept => "the old code is still running",
        Then::Restart => "the program starts anew",
        Then::Asked => "the old code is still running; `hotslot ctl PATH decide refuse|reset|restart`",
    };
    let mut text = String::new();
    let mut advice: Vec<&str> = Vec::new();
    for problem in &refusal.problems {
        text.push_str(&format!("  {}\n", problem.message));
        let new = problem.advice.as_deref().filter(|new| !advice.contains(new));
        advice.extend(new);
    }
    advice.iter().for_each(|advice| text.push_str(&format!("  hint: {advice}\n")));
    text.push_str(&waiting(&refusal.waiting));
    format!("{} {} · {how} · {then}\n{text}", paint.bad("✘"), some(&refusal.units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::watch::events::UnitError;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_line_for_a_success() {
        let module = Module {
            module: "physics.c".to_owned(),
            generation: 7,
            swapped: names(&["a", "b"]),
            new: names(&["c"]),
            ..Module::default()
        };
        let times = Times { front_end_ms: 84.3, code_ms: 3.04, link_ms: 0.1, ..Times::default() };
        let update = Update { modules: vec![module], times, ..Update::default() };
        assert_eq!(
            tell(&What::Live(update.clone()), Paint(false)),
            "✔ physics.c v7 · 2 functions swapped, 1 new · front end 84 ms · code 3.0 ms · link 0.1 ms · live\n"
        );
        assert!(tell(&What::Live(update), Paint(true)).starts_with("\x1b[1;32m✔\x1b[0m physics.c"));
    }

    #[test]
    fn what_is_broken_and_what_waits_for_it() {
        let error =
            |unit: &str, still| UnitError { unit: unit.to_owned(), diagnostics: String::new(), still };
        let units = vec![error("a.c", false), error("b.c", true)];
        let text = tell(&What::CompileError(Errors { units, waiting: names(&["c.c", "d.c"]) }), Paint(false));
        assert_eq!(
            text,
            "✘ a.c, b.c · does not compile · the old code is still running\n  \
             b.c does not compile as before\n  c.c, d.c wait for that\n"
        );
    }
}
