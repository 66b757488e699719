//! What an update came to, in the words of `--events`.
//!
//! Owns the decision whether an update had an effect, and of which kind a refusal is. Reads the
//! library's report and errors; knows nothing of terminals.

use hotslot::{Error, ErrorKind, ModuleReport, Report};

use super::super::notes;
use super::events::{Module, Problem, Refusal, Then, Times, Update, Version, What, round};
use crate::cli::failure;

/// A module as the library reports it.
pub fn module(report: &ModuleReport, loaded: bool) -> Module {
    let names = <[String]>::to_vec;
    Module {
        module: report.name.clone(),
        generation: report.generation,
        loaded,
        swapped: names(&report.changed_functions),
        new: names(&report.new_functions),
        removed: names(&report.removed_functions),
        new_variables: names(&report.new_variables),
        reset_variables: names(&report.reset_variables),
        migrated_variables: names(&report.migrated_variables),
        virtual_tables: names(&report.virtual_tables),
        kept_variables: names(&report.ineffective),
        uninitialised: names(&report.uninitialised),
    }
}

/// Whether the program does anything else for it now.
fn has_effect(module: &Module) -> bool {
    let lists = [
        &module.swapped,
        &module.new,
        &module.removed,
        &module.new_variables,
        &module.reset_variables,
        &module.migrated_variables,
        &module.virtual_tables,
    ];
    module.loaded || lists.iter().any(|list| !list.is_empty())
}

/// An update that was committed: live or without effect. Modules for which `loaded` says so were
/// not there before.
pub fn committed(report: &Report, loaded: impl Fn(&str) -> bool, front_end_ms: f64) -> What {
    let modules: Vec<Module> =
        report.modules.iter().map(|report| module(report, loaded(&report.name))).collect();
    let mut why = Vec::new();
    for module in &modules {
        for name in &module.kept_variables {
            why.push(format!("{name} keeps the value that it has: its new initial value is for a new start"));
        }
        for name in &module.uninitialised {
            why.push(format!("{name} was not constructed: that is done at a new start"));
        }
    }
    why.extend(notes::tables(report));
    why.extend(notes::still_running(report));
    for stale in &report.stale {
        why.push(format!("{} goes on using the old place of {}", stale.module, stale.symbol));
    }
    let opaque = |module: &&Module| {
        // Of an object it is not known which functions are others.
        let of = report.module(&module.module);
        of.is_some_and(|of| of.functions > 0 && of.unchanged_functions.is_empty())
    };
    let live =
        modules.iter().any(|module| has_effect(module) || opaque(&module)) || !report.removed.is_empty();
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let times = Times {
        front_end_ms: round(front_end_ms),
        code_ms: round(ms(report.times.parse + report.times.optimise + report.times.codegen)),
        link_ms: round(ms(report.times.link)),
        publish_ms: round(ms(report.times.publish)),
        total_ms: 0.0,
    };
    let update = Update { modules, unloaded: report.removed.clone(), why, times };
    if live { What::Live(update) } else { without_effect(update) }
}

/// The same for what the compiler made the same bitcode of.
pub fn without_effect(mut update: Update) -> What {
    if update.why.is_empty() {
        update.why.push(
            "the code is the same: comments, layout or names that nothing is made of have changed".to_owned(),
        );
    }
    What::NoEffect(update)
}

/// Why an update was not committed.
pub fn refused(problems: Vec<Problem>, units: Vec<String>, waiting: Vec<String>, then: Then) -> What {
    let has = |kinds: &[&str]| problems.iter().any(|problem| kinds.contains(&problem.kind.as_str()));
    let (misfit, open) = (has(&["signature", "variable", "table"]), has(&["missing", "double", "link"]));
    // What does not link would not start either.
    let then = if open && then == Then::Restart { Then::Kept } else { then };
    let refusal = Refusal { units, waiting, problems, then };
    match (misfit, open) {
        (true, _) => What::Refused(refusal),
        (false, true) => What::LinkError(Refusal { then: Then::Kept, ..refusal }),
        (false, false) => What::Failed(Refusal { then: Then::Kept, ..refusal }),
    }
}

/// One of the problems of an update.
pub fn problem(error: &Error) -> Problem {
    let text = format!("{error:#}");
    let (kind, advice) = match error.kind() {
        ErrorKind::Signature => (
            "signature",
            Some(
                "save those who use it with the new type too, they go live together; or take the change back"
                    .to_owned(),
            ),
        ),
        ErrorKind::Storage if notes::is_table(error) => {
            ("table", Some("take the change back; --on-incompatible restart starts the program anew".to_owned()))
        }
        ErrorKind::Storage => (
            "variable",
            Some(
                "take the change back or give the variable another name; --on-incompatible reset has it start \
                 anew, --on-incompatible restart the program"
                    .to_owned(),
            ),
        ),
        ErrorKind::Resolve if text.contains("multiple definitions") => ("double", None),
        ErrorKind::Resolve => (
            "missing",
            Some("save the file that defines it, they go live together; or add its library (-l and -L)".to_owned()),
        ),
        ErrorKind::Link => ("link", failure::advice(error)),
        ErrorKind::Compile | ErrorKind::Parse => ("compile", failure::advice(error)),
        ErrorKind::Reclaim => ("held", failure::advice(error)),
        _ => ("other", failure::advice(error)),
    };
    Problem {
        kind: kind.to_owned(),
        module: error.module().map(str::to_owned),
        symbol: error.symbol().map(str::to_owned),
        message: text,
        advice,
    }
}

/// An update that was taken back, or a module that has returned. `was` says which modules were
/// there before.
pub fn undone(report: &Report, was: impl Fn(&str) -> bool, lost: &[String]) -> What {
    let mut why = lost.to_vec();
    let anew = |name: &str| format!("variables of {name} start anew: it was removed and is loaded again");
    why.extend(report.modules.iter().filter(|one| !was(&one.name)).map(|one| anew(&one.name)));
    for module in report.modules.iter().filter(|module| !module.restored) {
        let is_lost = |name: &String| lost.iter().any(|lost| lost.contains(&format!("variable {name} ")));
        let carried = module.migrated_variables.iter().filter(|name| !is_lost(name));
        why.extend(carried.map(|name| format!("{name} was carried over by the program's migration")));
        why.extend(module.reset_variables.iter().map(|name| format!("{name} has its initial value")));
    }
    let modules = report.modules.iter();
    let modules = modules.map(|one| Version { module: one.name.clone(), generation: one.generation });
    let modules = modules.collect();
    What::Undone { modules, unloaded: report.removed.clone(), why }
}

/// Whether resetting variables could help.
pub fn is_misfit(error: &Error, kind: ErrorKind) -> bool {
    error.problems().any(|problem| problem.kind() == kind)
}
