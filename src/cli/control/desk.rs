//! Where requests go: to the runtime, or to whoever makes the updates.
//!
//! Owns that decision, and the answers that need the runtime alone. Updates are made by the
//! session of `--watch` where there is one, otherwise by `session.rs`.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Instant;

use hotslot::Runtime;

use super::super::{hooks, watch};
use super::protocol::{
    Answer, Ask, Decision, ModuleHistory, ModuleStatus, PastGeneration, PendingGeneration, Problem, Refused,
    Status, ThreadHolding, Why,
};
use super::report::refused;

/// A request for the thread that makes updates.
pub type Order = (Ask, Sender<Answer>);

/// Takes requests.
#[derive(Clone)]
pub struct Desk {
    pub runtime: Runtime,
    /// The program's name.
    pub program: String,
    /// When it started.
    pub started: Instant,
    /// To the thread that makes updates.
    pub orders: Sender<Order>,
}

/// What becomes of a request.
pub enum Ready {
    /// This is the answer.
    Now(Answer),
    /// There will be one.
    Later(Later),
}

/// An answer that will come.
pub enum Later {
    /// From our own thread.
    Session(Receiver<Answer>),
    /// From the one that watches.
    Watch(Receiver<watch::Reply>),
}

impl Later {
    /// The answer, if it is there, and what is to be dropped once it is on its way.
    pub fn look(self) -> Result<(Answer, Option<Sender<()>>), Self> {
        let found = match &self {
            Self::Session(receiver) => receiver.try_recv().map(|answer| (answer, None)),
            Self::Watch(receiver) => receiver.try_recv().map(told),
        };
        match found {
            Ok(answer) => Ok(answer),
            Err(TryRecvError::Empty) => Err(self),
            Err(TryRecvError::Disconnected) => Ok((ends(), None)),
        }
    }
}

fn ends() -> Answer {
    let problem = Problem { message: "the program ends".to_owned(), ..Problem::default() };
    Answer::Refused(Refused { why: Why::Nothing, problems: vec![problem], ..Refused::default() })
}

fn told(reply: watch::Reply) -> (Answer, Option<Sender<()>>) {
    let watch::Reply { ok, text, event, senseless, taken } = reply;
    let answer = if senseless { Answer::failed(text) } else { Answer::Told { ok, text, event } };
    (answer, taken)
}

impl Desk {
    /// Answers or passes on.
    pub fn take(&self, ask: Ask) -> Ready {
        let ask = match self.resolved(ask) {
            Ok(ask) => ask,
            Err(message) => return Ready::Now(Answer::failed(message)),
        };
        match ask {
            Ask::Status => Ready::Now(Answer::Status(self.status())),
            Ask::History { module } => Ready::Now(self.history(module)),
            Ask::Pending => Ready::Now(self.pending()),
            Ask::Reclaim => {
                let freed = self.runtime.reclaim();
                Ready::Now(Answer::Reclaimed {
                    generations: freed.generations,
                    bytes: freed.bytes,
                    pending_bytes: freed.pending_bytes,
                })
            }
            // The connection sees to it once this is on its way.
            Ask::Quit => Ready::Now(Answer::Quitting),
            Ask::Swap { .. }
            | Ask::Rollback { .. }
            | Ask::Rebuild { .. }
            | Ask::Undo
            | Ask::Decide { .. } => self.order(ask),
        }
    }

    /// The request with modules by their whole names: the end of a path will do where it is that
    /// of one module.
    fn resolved(&self, mut ask: Ask) -> Result<Ask, String> {
        let all = || self.modules().into_iter().map(|(name, _)| name);
        let whole = |wanted: &mut String| {
            if all().any(|name| name == *wanted) {
                return Ok(());
            }
            let found: Vec<String> = all().filter(|name| Path::new(name).ends_with(&*wanted)).collect();
            match found.as_slice() {
                [] => return Ok(()),
                [one] => wanted.clone_from(one),
                several => return Err(format!("{wanted} may be any of {}", several.join(", "))),
            }
            Ok(())
        };
        match &mut ask {
            Ask::History { module: Some(module) } | Ask::Rebuild { module: Some(module) } => whole(module)?,
            Ask::Rollback { module, .. } => {
                whole(module)?;
                if all().all(|name| name != *module) {
                    return Err(format!("there is no module {module}"));
                }
            }
            Ask::Swap { files } => {
                files.iter_mut().filter_map(|file| file.module.as_mut()).try_for_each(whole)?;
            }
            _ => {}
        }
        Ok(ask)
    }

    fn order(&self, ask: Ask) -> Ready {
        if let Some((session, request)) = watch::session().zip(for_watch(&ask)) {
            let (sender, reply) = channel();
            return match session.send(watch::Event::Ask(request, sender)) {
                Ok(()) => Ready::Later(Later::Watch(reply)),
                Err(_) => Ready::Now(ends()),
            };
        }
        let (sender, answer) = channel();
        match self.orders.send((ask, sender)) {
            Ok(()) => Ready::Later(Later::Session(answer)),
            Err(_) => Ready::Now(ends()),
        }
    }

    fn status(&self) -> Status {
        let stats = self.runtime.stats();
        let modules = self.modules().into_iter();
        let hooks = hooks::of_program();
        let standing = watch::session().map(|_| watch::standing()).unwrap_or_default();
        Status {
            process: std::process::id(),
            program: self.program.clone(),
            seconds: self.started.elapsed().as_secs(),
            watching: watch::session().is_some(),
            undecided: standing.undecided,
            not_live: standing.open,
            updates: hooks.map_or(0, |hooks| hooks.generation() - 1),
            waiting: hooks.is_some_and(hotslot::Hooks::is_waiting),
            modules: modules.map(|(module, generation)| ModuleStatus { module, generation }).collect(),
            code_bytes: stats.code_bytes,
            variable_bytes: stats.variable_bytes,
            past: stats.past,
            pending_bytes: stats.retired_bytes,
        }
    }

    fn modules(&self) -> Vec<(String, u64)> {
        let mut modules = self.runtime.modules();
        modules.sort();
        modules
    }

    fn history(&self, module: Option<String>) -> Answer {
        let names = match module {
            Some(module) => vec![module],
            None => self.modules().into_iter().map(|(name, _)| name).collect(),
        };
        let mut modules = Vec::new();
        for module in names {
            let history = match self.runtime.history(&module) {
                Ok(history) => history,
                Err(error) => return Answer::Failed(refused(&error).problems.swap_remove(0)),
            };
            let generations = history.into_iter().map(|generation| PastGeneration {
                generation: generation.number,
                live: generation.live,
                source: format!("{:016x}", generation.source_hash),
                bytes: generation.bytes,
                new_functions: generation.report.new_functions.clone(),
                changed_functions: generation.report.changed_functions.clone(),
                removed_functions: generation.report.removed_functions.clone(),
            });
            modules.push(ModuleHistory { module, generations: generations.collect() });
        }
        Answer::History { modules }
    }

    fn pending(&self) -> Answer {
        let generations: Vec<PendingGeneration> = (self.runtime.pending().into_iter())
            .map(|pending| PendingGeneration {
                module: pending.module,
                generation: pending.generation,
                bytes: pending.bytes,
                holders: (pending.holders.into_iter())
                    .map(|holder| ThreadHolding {
                        thread: holder.thread,
                        name: holder.name,
                        function: holder.function,
                    })
                    .collect(),
                kept_because: pending.kept_because,
            })
            .collect();
        let bytes = generations.iter().map(|generation| generation.bytes).sum();
        Answer::Pending { generations, bytes }
    }
}

/// The request as the session that watches knows it; nothing for what it does not know.
fn for_watch(ask: &Ask) -> Option<watch::Request> {
    match ask {
        // Of a file for another module it knows nothing.
        Ask::Swap { files } if files.iter().all(|file| file.module.is_none()) => {
            Some(watch::Request::Swap(files.iter().map(|file| file.file.clone().into()).collect()))
        }
        Ask::Rebuild { module } => Some(watch::Request::Rebuild(module.iter().cloned().collect())),
        Ask::Rollback { module, generation } => Some(watch::Request::Rollback(module.clone(), *generation)),
        Ask::Undo => Some(watch::Request::Undo),
        Ask::Decide { decision } => Some(watch::Request::Decide(match decision {
            Decision::Refuse => watch::Decision::Refuse,
            Decision::Reset => watch::Decision::Reset,
            Decision::Restart => watch::Decision::Restart,
        })),
        _ => None,
    }
}
