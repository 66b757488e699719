//! `:type`, `:time`, `:bench`: expressions that are not just evaluated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::repl::document::Definition;
use crate::cli::repl::session::{Failed, Flow, Session};
use crate::cli::repl::syntax::{self, Kind};
use crate::cli::repl::{shown, text};

/// As long as a sample takes at least, and all of them.
const SAMPLE: Duration = Duration::from_millis(5);
const ALL: Duration = Duration::from_millis(500);

/// Code that a command is about.
fn parse(session: &Session, words: &str, kinds: &[Kind]) -> Result<Definition, Failed> {
    let place: Arc<str> = format!("input {}", session.before + session.inputs.len()).into();
    if !syntax::is_complete(words, &session.names) {
        session.console.error(&format!("{words} is not a whole expression"));
        return Err(Failed);
    }
    let mut items = match syntax::parse(words, &session.names) {
        Ok(items) => items,
        Err(trouble) => {
            session.console.error(&trouble.message);
            return Err(Failed);
        }
    };
    match items.pop() {
        Some(item) if items.is_empty() && kinds.contains(&item.kind) => {
            Ok(Definition::new(item, &place, None))
        }
        _ => {
            session.console.error("it takes an expression");
            Err(Failed)
        }
    }
}

/// The type of an expression; of a type, what it stands for.
pub fn kind(session: &mut Session, words: &str) -> Result<Flow, Failed> {
    let is_type = syntax::parse(&format!("{words} *__hotslot_any;"), &session.names)
        .is_ok_and(|items| items.last().is_some_and(|item| item.kind == Kind::Variable));
    // A value of it, which is not evaluated.
    let expression = if is_type { format!("*(__typeof__({words}) *)0") } else { words.to_owned() };
    let one = parse(session, &expression, &[Kind::Expression])?;
    let made = session.compile_expression(&one, false)?;
    match shown::kind(&made.bytes, is_type) {
        Some(spelling) => session.console.answer(&spelling),
        None => session.console.answer("void"),
    }
    Ok(Flow::On)
}

/// How long it takes once.
pub fn time(session: &mut Session, words: &str) -> Result<Flow, Failed> {
    let one = parse(session, words, &[Kind::Expression])?;
    let made = session.compile_expression(&one, true)?;
    let shows = session.shows(&made.bytes);
    let (mut begun, mut took) = (Instant::now(), None);
    let mut host = |address| {
        if address == 0 {
            begun = Instant::now();
        } else {
            took = Some(begun.elapsed());
            shows(address);
        }
        0
    };
    let result = session.run(&one.origin.place, made.bytes, false, &mut host);
    finish(session, result)?;
    session.console.answer(&format!("took {}", duration(took.unwrap_or_default().as_nanos() as f64)));
    Ok(Flow::On)
}

/// How long it takes.
pub fn bench(session: &mut Session, words: &str) -> Result<Flow, Failed> {
    let one = parse(session, words, &[Kind::Expression, Kind::Statement])?;
    let made = session.compile(&one, |document, before| text::repeated(document, &one, before))?;
    let (begun, mut since, mut turns) = (Instant::now(), None::<Instant>, 0);
    let mut samples: Vec<f64> = Vec::new();
    let mut host = |_| {
        let now = Instant::now();
        match since.map(|since| now - since) {
            None => turns = 1,
            // Too few to be told from the clock's own.
            Some(took) if took < SAMPLE && begun.elapsed() < ALL => turns *= 2,
            Some(took) => {
                samples.push(took.as_nanos() as f64 / turns as f64);
                if begun.elapsed() >= ALL {
                    turns = 0;
                }
            }
        }
        since = Some(Instant::now());
        turns
    };
    let result = session.run(&one.origin.place, made.bytes, false, &mut host);
    finish(session, result)?;
    samples.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (samples.first(), samples.last()) else { return Ok(Flow::On) };
    let median = samples[samples.len() / 2];
    let (median, least, most) = (duration(median), duration(*least), duration(*most));
    let count = samples.len();
    session.console.answer(&format!("{median} each: the median of {count} samples, {least} to {most}"));
    Ok(Flow::On)
}

fn finish(session: &Session, result: Result<(), String>) -> Result<(), Failed> {
    result.map_err(|text| {
        session.console.tell("", &text);
        Failed
    })
}

/// Nanoseconds with a unit that fits.
fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds:.1} ns"),
        ..1e6 => format!("{:.2} us", nanoseconds / 1e3),
        ..1e9 => format!("{:.2} ms", nanoseconds / 1e6),
        _ => format!("{:.2} s", nanoseconds / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_a_unit_that_fits() {
        let texts = [1.5, 2500.0, 3.25e6, 2e9].map(duration);
        assert_eq!(texts, ["1.5 ns", "2.50 us", "3.25 ms", "2.00 s"]);
    }
}
