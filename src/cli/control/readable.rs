//! Answers for people: what `hotslot ctl` prints, and keys.
//!
//! An answer is on stdout, what was refused and why on stderr.

use std::fmt::Write;

use super::super::names;
use super::protocol::{Answer, ModuleChange, Problem, Refused, Status, Updated, Why};

/// The answer; empty for what is a complaint.
pub fn text(answer: &Answer) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_text(&mut text, answer);
    names::readable(&text).into_owned()
}

fn write_text(text: &mut String, answer: &Answer) -> std::fmt::Result {
    match answer {
        Answer::Status(status) => write_status(text, status)?,
        Answer::History { modules } => {
            for module in modules {
                writeln!(text, "{}", module.module)?;
                for generation in &module.generations {
                    let mark = if generation.live { '*' } else { ' ' };
                    let changes = changes(
                        &generation.new_functions,
                        &generation.changed_functions,
                        &generation.removed_functions,
                    );
                    let changes = changes.unwrap_or_default();
                    let line = format!(
                        "{mark} v{:<4} {:>9}  {changes}",
                        generation.generation,
                        bytes(generation.bytes)
                    );
                    writeln!(text, "{}", line.trim_end())?;
                }
            }
        }
        Answer::Updated(updated) => write_updated(text, updated)?,
        Answer::Told { ok: true, text: told, .. } => writeln!(text, "{}", told.trim_end())?,
        Answer::Pending { generations, bytes: all } => {
            for pending in generations {
                writeln!(text, "{} v{}  {}", pending.module, pending.generation, bytes(pending.bytes))?;
                for holder in &pending.holders {
                    writeln!(text, "    thread {} ({}) in {}", holder.thread, holder.name, holder.function)?;
                }
                if !pending.kept_because.is_empty() {
                    writeln!(text, "    {}", pending.kept_because)?;
                }
            }
            match generations.len() {
                0 => writeln!(text, "nothing is pending")?,
                count => writeln!(text, "{count} generations, {}", bytes(*all))?,
            }
        }
        Answer::Reclaimed { generations, bytes: freed, pending_bytes } => writeln!(
            text,
            "freed {generations} generations, {}; {} still held",
            bytes(*freed),
            bytes(*pending_bytes)
        )?,
        Answer::Quitting => writeln!(text, "the program ends")?,
        Answer::Refused(_) | Answer::Failed(_) | Answer::Told { .. } => {}
    }
    Ok(())
}

fn write_status(text: &mut String, status: &Status) -> std::fmt::Result {
    let watching = if status.watching { ", watching" } else { "" };
    writeln!(text, "{} (process {}), {} s{watching}", status.program, status.process, status.seconds)?;
    let waiting = if status.waiting { ", one waits for a safe point" } else { "" };
    writeln!(text, "updates    {}{waiting}", status.updates)?;
    writeln!(text, "code       {}", bytes(status.code_bytes))?;
    writeln!(text, "variables  {}", bytes(status.variable_bytes))?;
    writeln!(text, "past       {} generations", status.past)?;
    writeln!(text, "pending    {}", bytes(status.pending_bytes))?;
    if status.undecided {
        writeln!(text, "undecided  an update does not fit: `hotslot ctl PATH decide refuse|reset|restart`")?;
    }
    for open in &status.not_live {
        writeln!(text, "not live   {} ({}): {}", open.unit, open.state, open.why)?;
    }
    for module in &status.modules {
        writeln!(text, "module     {} v{}", module.module, module.generation)?;
    }
    Ok(())
}

fn write_updated(text: &mut String, updated: &Updated) -> std::fmt::Result {
    text.push_str(&updated.compiler);
    for module in &updated.modules {
        let ModuleChange { new_functions, changed_functions, removed_functions, .. } = module;
        let what = match changes(new_functions, changed_functions, removed_functions) {
            _ if module.restored => "as it was".to_owned(),
            Some(changes) => changes,
            None => "no function changed".to_owned(),
        };
        let mut more = String::new();
        for (names, said) in [
            (&module.new_variables, "new"),
            (&module.reset_variables, "reset"),
            (&module.migrated_variables, "migrated"),
        ] {
            if !names.is_empty() {
                write!(more, " · {} {said}", names.join(", "))?;
            }
        }
        writeln!(text, "{} v{} · {what}{more}", module.module, module.generation)?;
    }
    for name in &updated.removed {
        writeln!(text, "{name} · removed")?;
    }
    for note in &updated.notes {
        writeln!(text, "note: {note}")?;
    }
    let times = &updated.times;
    let waited =
        if times.waited > 0.0 { format!(" · waited {:.0} ms", times.waited) } else { String::new() };
    let live = if updated.effect { "live" } else { "no effect" };
    writeln!(
        text,
        "front end {:.0} ms · code {:.1} ms · link {:.1} ms{waited} · {live} after {:.0} ms",
        times.front_end, times.code, times.link, times.total
    )
}

/// How many functions are what, or their names where they are few.
fn changes(new: &[String], changed: &[String], removed: &[String]) -> Option<String> {
    let named = |names: &[String], what: &str| match names.len() {
        0 => None,
        1..=3 => Some(format!("{} {what}", names.join(", "))),
        count => Some(format!("{count} functions {what}")),
    };
    let all = [named(changed, "swapped"), named(new, "new"), named(removed, "removed")];
    let all: Vec<String> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" · "))
}

/// What was refused and why, as a command of ours says that on stderr.
pub fn complaint(answer: &Answer) -> String {
    names::readable(&complained(answer)).into_owned()
}

fn complained(answer: &Answer) -> String {
    match answer {
        Answer::Refused(Refused { why, problems, compiler }) => {
            let mut text = compiler.clone();
            for problem in problems {
                text += &line(problem);
            }
            if *why == Why::Nothing {
                return text;
            }
            let why = match why {
                Why::CompileError => "it does not compile",
                Why::Incompatible => "it does not fit what runs",
                Why::LinkError => "it cannot be linked",
                Why::NoSafePoint => "no safe point",
                Why::Other | Why::Nothing => "refused",
            };
            text + &format!("hotslot: {why}: the old code is still running\n")
        }
        Answer::Failed(problem) => line(problem),
        Answer::Told { ok: false, text, .. } => format!("{}\n", text.trim_end()),
        _ => String::new(),
    }
}

fn line(problem: &Problem) -> String {
    let hint = problem.hint.as_ref().map(|hint| format!("hotslot: hint: {hint}\n")).unwrap_or_default();
    format!("hotslot: {}\n{hint}", problem.message)
}

fn bytes(count: usize) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..0x10_0000 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_functions_have_names() {
        let names = |count: usize| (0..count).map(|n| format!("f{n}")).collect::<Vec<_>>();
        assert_eq!(changes(&names(0), &names(0), &names(0)), None);
        assert_eq!(changes(&names(1), &names(5), &[]).unwrap(), "5 functions swapped · f0 new");
    }

    #[test]
    fn every_problem_is_told() {
        let problem = |text: &str| Problem { message: text.into(), ..Problem::default() };
        let mut problems = vec![problem("one"), problem("two")];
        problems[0].hint = Some("do this".into());
        let refused = Refused { why: Why::Incompatible, problems, compiler: "a.c:1: note\n".into() };
        assert_eq!(
            complaint(&Answer::Refused(refused)),
            "a.c:1: note\nhotslot: one\nhotslot: hint: do this\nhotslot: two\n\
             hotslot: it does not fit what runs: the old code is still running\n"
        );
    }
}
