//! Updates of a program that nobody watches: made when they are asked for.
//!
//! Owns what a file or a module of a request means, how new code is made of it. All
//! of it happens on one thread, an update at a time.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotslot::{Hooks, Runtime, Source, Update};

use super::super::assembler;
use super::super::cancel::Cancel;
use super::super::colours::plain;
use super::super::crash;
use super::super::failure::Failure;
use super::super::frontend::{Frontend, Job, Outcome, Verdict};
use super::super::program::{Kind, Unit, kind_of};
use super::super::progress::Progress;
use super::super::watch;
use super::protocol::{Answer, Ask, Refused, Replacement, Why};
use super::report::{as_it_is, failed, refused, updated};

/// What makes updates.
pub struct Session {
    pub runtime: Runtime,
    pub hooks: Hooks,
    pub units: Vec<Unit>,
    pub frontend: Frontend,
    /// What assembler files are given to.
    pub assembler: PathBuf,
    /// Where the program was started: its paths are seen from there.
    pub folder: PathBuf,
    pub cancel: Cancel,
}

/// A module and what it is to be made of.
struct Task {
    module: String,
    unit: Unit,
}

/// What the front end was good for.
#[derive(Default)]
struct Made {
    sources: Vec<(String, Source)>,
    said: String,
    took: Duration,
}

impl Session {
    /// Does what is asked, which is an update.
    pub fn answer(&mut self, ask: Ask) -> Answer {
        let begun = Instant::now();
        let result = match ask {
            Ask::Swap { files } => self.find(&files).and_then(|tasks| self.swap(&tasks, begun)),
            Ask::Rebuild { module } => self.of_module(module).and_then(|tasks| self.swap(&tasks, begun)),
            Ask::Rollback { module, generation } => self.rollback(&module, generation, begun),
            Ask::Undo => self.undo(begun),
            Ask::Decide { .. } => Err(idle(
                "nothing waits for a decision: that is for --watch with --on-incompatible ask".to_owned(),
            )),
            Ask::Status | Ask::History { .. } | Ask::Pending | Ask::Reclaim | Ask::Quit => {
                Err(Box::new(Answer::failed("this is no update")))
            }
        };
        result.unwrap_or_else(|answer| *answer)
    }

    /// What the files of a request stand for.
    fn find(&self, files: &[Replacement]) -> Result<Vec<Task>, Box<Answer>> {
        if files.is_empty() {
            return Err(nothing("no file is named".to_owned()));
        }
        let mut tasks: Vec<Task> = Vec::new();
        for Replacement { file, module } in files {
            let path = self.folder.join(file);
            let known = match module {
                Some(module) => self.units.iter().find(|unit| unit.name == *module),
                None => self.units.iter().find(|unit| self.is_file(unit, &path)),
            };
            let unit = match (known, module) {
                (Some(unit), None) => unit.clone(),
                (known, Some(module)) => {
                    if !self.runtime.modules().iter().any(|(name, _)| name == module) {
                        return Err(nothing(format!("there is no module {module}")));
                    }
                    self.unit_of_file(known, &path).map_err(|failure| other(&failure))?
                }
                (None, None) => {
                    let names: Vec<&str> = self.units.iter().map(|unit| unit.name.as_str()).collect();
                    return Err(nothing(format!(
                        "{file}: no module was made of this file; those there are: {}; MODULE=FILE \
                         replaces one of them by another file",
                        names.join(", ")
                    )));
                }
            };
            let unit = self.anchored(unit);
            let module = module.clone().unwrap_or_else(|| unit.name.clone());
            if tasks.iter().any(|task| task.module == module) {
                return Err(nothing(format!("module {module} is to be replaced twice")));
            }
            tasks.push(Task { module, unit });
        }
        Ok(tasks)
    }

    /// Whether the unit is made of this file, under whatever name.
    fn is_file(&self, unit: &Unit, path: &Path) -> bool {
        let own = self.path_of(unit);
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        own == path || real(&own) == real(path)
    }

    fn path_of(&self, unit: &Unit) -> PathBuf {
        let folder = unit.directory.as_deref().map(|folder| self.folder.join(folder));
        folder.as_deref().unwrap_or(&self.folder).join(&unit.path)
    }

    /// The unit as the compiler finds it wherever the program has gone.
    fn anchored(&self, mut unit: Unit) -> Unit {
        let folder = unit.directory.take();
        unit.directory = Some(folder.map_or_else(|| self.folder.clone(), |folder| self.folder.join(folder)));
        unit
    }

    /// Another file in a module's place: compiled as the module's own is.
    fn unit_of_file(&self, known: Option<&Unit>, path: &Path) -> Result<Unit, Failure> {
        let kind = kind_of(path)?;
        let mut unit = known.cloned().unwrap_or_else(|| Unit::new(path, kind));
        if unit.kind != kind {
            unit.flags.clear();
        }
        unit.path = path.to_owned();
        unit.kind = kind;
        unit.on_demand = false;
        Ok(unit)
    }

    /// A module as it is to be made from its own file, or all of them.
    fn of_module(&self, module: Option<String>) -> Result<Vec<Task>, Box<Answer>> {
        let task = |unit: &Unit| Task { module: unit.name.clone(), unit: self.anchored(unit.clone()) };
        let loaded: Vec<String> = self.runtime.modules().into_iter().map(|(name, _)| name).collect();
        let Some(module) = module else {
            let units = self.units.iter().filter(|unit| loaded.contains(&unit.name));
            return Ok(units.map(task).collect());
        };
        match self.units.iter().find(|unit| unit.name == module) {
            Some(unit) if loaded.contains(&module) => Ok(vec![task(unit)]),
            _ if loaded.contains(&module) => Err(nothing(format!(
                "{module} was made of no file of its own: swap {module}=FILE replaces it"
            ))),
            _ => Err(nothing(format!("there is no module {module}"))),
        }
    }

    fn swap(&mut self, tasks: &[Task], begun: Instant) -> Result<Answer, Box<Answer>> {
        let Made { sources, said, took } = self.make(tasks)?;
        let runtime = self.runtime.clone();
        let (same, sources): (Vec<_>, Vec<_>) =
            sources.into_iter().partition(|(module, source)| watch::runs(&runtime, module, source));
        if sources.is_empty() {
            // A generation more would push one out that can be returned to.
            let names: Vec<String> = same.into_iter().map(|(module, _)| module).collect();
            return Ok(Answer::Updated(as_it_is(&runtime, &names, said, took, begun.elapsed())));
        }
        let mut update = runtime.update();
        for (module, source) in sources {
            update.replace(module, source);
        }
        self.commit(update.strict(), said, took, begun)
    }

    /// Compiles what has to be.
    fn make(&self, tasks: &[Task]) -> Result<Made, Box<Answer>> {
        let begun = Instant::now();
        let jobs: Vec<Job> = tasks.iter().filter_map(|task| task.unit.job()).collect();
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(jobs.len(), || None);
        self.frontend.each(&jobs, &self.cancel, |at, outcome| outcomes[at] = Some(outcome));
        let mut made = Made::default();
        let mut failures = Vec::new();
        let mut outcomes = outcomes.into_iter().flatten();
        for task in tasks {
            let path = &task.unit.path;
            let source = match task.unit.kind {
                Kind::Source(_) => {
                    let Some(outcome) = outcomes.next() else { continue };
                    made.said += &plain(&outcome.said);
                    match outcome.verdict {
                        Verdict::Bitcode(bitcode) => {
                            Ok(Source::bitcode(bitcode).trusted().label(path.to_string_lossy()))
                        }
                        Verdict::Failed(failure) => Err(failure),
                        Verdict::Cancelled => Err(Failure::new("the program ends")),
                    }
                }
                Kind::Assembly => {
                    assembler::assemble(&self.assembler, &task.unit, &Progress::start("assembling"))
                }
                Kind::Ready => Source::from_path(self.path_of(&task.unit)).map_err(Failure::from),
                Kind::Archive => {
                    Err(Failure::new(format!("{}: an archive is not replaced as a whole", path.display()))
                        .hint("name one of its modules, as in MODULE=FILE"))
                }
            };
            match source {
                Ok(source) => made.sources.push((task.module.clone(), source)),
                Err(failure) => failures.push(failure),
            }
        }
        made.took = begun.elapsed();
        match Failure::all(failures) {
            Some(failure) => {
                let why = if jobs.is_empty() { Why::Other } else { Why::CompileError };
                Err(Box::new(Answer::Refused(failed(why, &failure, made.said))))
            }
            None => Ok(made),
        }
    }

    fn rollback(
        &mut self,
        module: &str,
        generation: Option<u64>,
        begun: Instant,
    ) -> Result<Answer, Box<Answer>> {
        let history = self.runtime.history(module).map_err(|error| no(refused(&error)))?;
        let live = history.iter().find(|generation| generation.live).map_or(0, |live| live.number);
        let before = history.iter().map(|generation| generation.number).filter(|number| *number < live).max();
        let Some(generation) = generation.or(before) else {
            return Err(idle(format!("{module} has no generation before {live} in memory")));
        };
        let runtime = self.runtime.clone();
        self.commit(runtime.update().restore(module, generation), String::new(), Duration::ZERO, begun)
    }

    fn undo(&mut self, begun: Instant) -> Result<Answer, Box<Answer>> {
        let undone = self.hooks.undo().map_err(|error| no(refused(&error)))?;
        let Some(applied) = undone else {
            return Err(idle("there is no update to take back".to_owned()));
        };
        crash::callbacks_failed(&applied);
        Ok(Answer::Updated(updated(&applied, String::new(), Duration::ZERO, begun.elapsed())))
    }

    fn commit(
        &mut self,
        update: &mut Update<'_>,
        said: String,
        front_end: Duration,
        begun: Instant,
    ) -> Result<Answer, Box<Answer>> {
        let applied = self
            .hooks
            .commit(update)
            .map_err(|error| no(Refused { compiler: said.clone(), ..refused(&error) }))?;
        crash::callbacks_failed(&applied);
        Ok(Answer::Updated(updated(&applied, said, front_end, begun.elapsed())))
    }
}

fn no(refused: Refused) -> Box<Answer> {
    Box::new(Answer::Refused(refused))
}

fn other(failure: &Failure) -> Box<Answer> {
    no(failed(Why::Other, failure, String::new()))
}

/// The request is understood, and there is nothing to be done for it.
fn idle(message: String) -> Box<Answer> {
    no(failed(Why::Nothing, &Failure::new(message), String::new()))
}

fn nothing(message: String) -> Box<Answer> {
    Box::new(Answer::failed(message))
}
