//! What came of an update, in the words of the protocol.

use std::time::Duration;

use hotslot::{Applied, Error, ErrorKind, Runtime, Times};

use super::super::failure::{Failure, advice};
use super::super::{crash, notes};
use super::protocol::{Milliseconds, ModuleChange, Problem, Refused, Updated, Why};

/// An update that is live.
pub fn updated(applied: &Applied, compiler: String, front_end: Duration, total: Duration) -> Updated {
    let report = &applied.report;
    let modules: Vec<ModuleChange> = (report.modules.iter())
        .map(|module| ModuleChange {
            module: module.name.clone(),
            generation: module.generation,
            restored: module.restored,
            // What a generation did when it came is not what its return does.
            ..if module.restored {
                ModuleChange::default()
            } else {
                ModuleChange {
                    new_functions: module.new_functions.clone(),
                    changed_functions: module.changed_functions.clone(),
                    removed_functions: module.removed_functions.clone(),
                    new_variables: module.new_variables.clone(),
                    reset_variables: module.reset_variables.clone(),
                    migrated_variables: module.migrated_variables.clone(),
                    ineffective_variables: module.ineffective.clone(),
                    ..ModuleChange::default()
                }
            }
        })
        .collect();
    let mut notes = Vec::new();
    for module in &modules {
        notes.extend(module.ineffective_variables.iter().map(|variable| {
            format!("{}: {variable} keeps its value: its new initial value has no effect", module.module)
        }));
    }
    for module in &report.modules {
        notes.extend(
            module
                .uninitialised
                .iter()
                .map(|variable| format!("{}: {variable} is new and was not constructed", module.name)),
        );
    }
    notes.extend(
        report
            .stale
            .iter()
            .map(|stale| format!("{}: it goes on using the old place of {}", stale.module, stale.symbol)),
    );
    notes.extend(crash::lost(applied).map(|lost| format!("{lost:#}")));
    notes.extend(notes::tables(report).into_iter().chain(notes::still_running(report)));
    let times = milliseconds(&report.times, front_end, applied.waited, total);
    let effect = modules.iter().any(has_effect)
        || !report.removed.is_empty()
        || report.modules.iter().any(|m| !m.virtual_tables.is_empty() && !m.restored);
    Updated { effect, modules, removed: report.removed.clone(), notes, compiler, times }
}

/// Modules that were compiled and came out as what is live.
pub fn as_it_is(
    runtime: &Runtime,
    names: &[String],
    compiler: String,
    front_end: Duration,
    total: Duration,
) -> Updated {
    let modules = runtime.modules().into_iter().filter(|(name, _)| names.contains(name));
    let modules =
        modules.map(|(module, generation)| ModuleChange { module, generation, ..Default::default() });
    let times = milliseconds(&Times::default(), front_end, Duration::ZERO, total);
    Updated { modules: modules.collect(), compiler, times, ..Updated::default() }
}

fn has_effect(module: &ModuleChange) -> bool {
    let lists = [
        &module.new_functions,
        &module.changed_functions,
        &module.removed_functions,
        &module.new_variables,
        &module.reset_variables,
        &module.migrated_variables,
    ];
    module.restored || lists.into_iter().any(|list| !list.is_empty())
}

fn milliseconds(times: &Times, front_end: Duration, waited: Duration, total: Duration) -> Milliseconds {
    // Three digits behind the point are microseconds.
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    Milliseconds {
        front_end: ms(front_end),
        code: ms(times.parse + times.optimise + times.codegen),
        link: ms(times.link),
        publish: ms(times.publish),
        waited: ms(waited),
        total: ms(total),
    }
}

/// An update that the library refused.
pub fn refused(error: &Error) -> Refused {
    let problems = error.problems().map(|problem| Problem {
        message: format!("{problem:#}"),
        module: problem.module().map(str::to_owned),
        file: problem.file().map(str::to_owned),
        symbol: problem.symbol().map(str::to_owned),
        hint: advice(problem),
    });
    let why = match error.kind() {
        ErrorKind::Signature | ErrorKind::Storage => Why::Incompatible,
        ErrorKind::Link | ErrorKind::Resolve => Why::LinkError,
        ErrorKind::Parse | ErrorKind::Compile => Why::CompileError,
        ErrorKind::SafePoint => Why::NoSafePoint,
        _ => Why::Other,
    };
    Refused { why, problems: problems.collect(), compiler: String::new() }
}

/// An update that came to nothing before the library heard of it.
pub fn failed(why: Why, failure: &Failure, compiler: String) -> Refused {
    let hint = failure.advice().map(str::to_owned);
    let problem = |line: &String| Problem { message: line.clone(), ..Problem::default() };
    let mut problems: Vec<Problem> = failure.lines().iter().map(problem).collect();
    if let Some(first) = problems.first_mut() {
        first.hint = hint;
    }
    Refused { why, problems, compiler }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changed_is_no_effect() {
        let mut module = ModuleChange { ineffective_variables: vec!["v".into()], ..ModuleChange::default() };
        assert!(!has_effect(&module));
        module.changed_functions.push("f".into());
        assert!(has_effect(&module));
    }
}
