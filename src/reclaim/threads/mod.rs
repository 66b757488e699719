//! One question to all threads: who is asked, in what way and how often.
//!
//! Owns the order of things, which the argument in [`super`] is about. Knows nothing of what
//! `/proc` or a signal handler looks like.

mod caller;
mod choice;
mod contexts;
mod forks;
mod memory;
mod signal;
mod stack;
mod task;
#[cfg(test)]
mod tests;
mod waits;
mod wanted;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::{Findings, Hit, Silent};
use crate::seeded::{Bug, bug};
use crate::tls::thread_pointer;

pub(crate) use caller::Caller;
pub(crate) use choice::{leave_signals_to_others, own_signal};
use contexts::Contexts;
#[cfg(test)]
pub(crate) use contexts::forget as forget_context;
pub(crate) use contexts::remember as remember_context;
pub(crate) use forks::survive as survive_forks;
use memory::{Mappings, this_thread};
use signal::{Line, Reply};
pub(crate) use stack::Left;
use stack::{Memory, Seen, Thread, Told};
use task::Doing;
pub(crate) use task::name as thread_name;
pub(crate) use waits::wait_on;
use wanted::Wanted;

/// Asks every thread which of `ranges` it holds. They are sorted and do not overlap; the end
/// of a range counts as inside. Of the calling thread only what lies above `own` is looked at.
pub(crate) fn ask_threads(ranges: &[Range<u64>], own: &Caller) -> Findings {
    let mut findings = Findings::default();
    if ranges.is_empty() {
        return findings;
    }
    let mut line = forks::line();
    let wanted = Wanted::new(ranges);
    if let Err(why) =
        Question::new(&mut line, &wanted).and_then(|mut question| question.ask(own, &mut findings))
    {
        findings.silent.push(Silent { thread: 0, why });
    }
    findings
}

impl Findings {
    fn add(&mut self, thread: i32, seen: Seen, told: Told<()>) {
        let words = seen.found.iter().enumerate();
        self.hits.extend(words.filter_map(|(range, word)| Some(Hit { range, thread, address: (*word)? })));
        if seen.odd {
            self.odd_stack.get_or_insert(thread);
        }
        if let Err(why) = told {
            self.silent.push(Silent { thread, why });
        }
    }
}

struct Question<'a> {
    line: &'a mut Line,
    signal: Option<i32>,
    restorer: Option<u64>,
    wanted: &'a Wanted,
    mappings: Mappings,
    contexts: Contexts,
    /// Threads that were on a stack which was not known then. It may have been too new.
    odd: BTreeSet<i32>,
}

/// What came of reading a thread from outside.
enum Outside {
    Told(Seen, Told<()>),
    Gone,
    /// It has to be asked. It was seen running, or may be blocked; it may be deaf to a signal.
    Runs {
        seen: bool,
        deaf: bool,
    },
}

const NO_LIST: &str = "the threads cannot be listed in /proc";
const NO_MAPPINGS: &str = "the mappings cannot be read in /proc";

impl<'a> Question<'a> {
    fn new(line: &'a mut Line, wanted: &'a Wanted) -> Told<Self> {
        let signal = line.signal();
        let restorer = signal.and_then(signal::restorer);
        let mappings = Mappings::of_this_process().ok_or(NO_MAPPINGS)?;
        Ok(Self { line, signal, restorer, wanted, mappings, contexts: Contexts::now(), odd: BTreeSet::new() })
    }

    fn ask(&mut self, own: &Caller, findings: &mut Findings) -> Told<()> {
        let this = Thread {
            number: this_thread(),
            sp: own.sp,
            pointer: Some(thread_pointer() as u64),
            alternate: signal::alternate_stack(),
        };
        let mut seen = Seen::nothing(self.wanted);
        let told = self.memory().look(&this, &own.registers, &mut seen);
        findings.add(this.number, seen, told);
        let mut asked = BTreeSet::from([this.number]);
        // The second and third time for those that started meanwhile.
        for _ in 0..3 {
            let threads = task::all().ok_or(NO_LIST)?;
            let new: Vec<i32> = threads.into_iter().filter(|thread| asked.insert(*thread)).collect();
            if new.is_empty() {
                break;
            }
            let asks = new.len() - usize::from(bug(Bug::SkipThread));
            self.ask_these(new.into_iter().take(asks).collect(), findings)?;
        }
        let mut seen = Seen::nothing(self.wanted);
        // Those of now: a context may have been made since.
        Contexts::now().search(self.wanted, |range, word| _ = seen.found[range].get_or_insert(word));
        findings.add(0, seen, Ok(()));
        Ok(())
    }

    fn memory(&self) -> Memory<'_> {
        let Self { wanted, restorer, mappings, contexts, .. } = self;
        Memory { wanted, mappings, contexts, restorer: *restorer }
    }

    /// Reads the mappings again: a stack was not there before.
    fn look_again(&mut self) -> Told<()> {
        self.mappings = Mappings::of_this_process().ok_or(NO_MAPPINGS)?;
        self.contexts = Contexts::now();
        Ok(())
    }

    fn ask_these(&mut self, mut threads: Vec<i32>, findings: &mut Findings) -> Told<()> {
        const ROUNDS: usize = 20;
        // Did not answer a signal in time. They are sent no other, but may block.
        let mut late = BTreeSet::new();
        for round in 0..ROUNDS {
            let mut running = Vec::new();
            let mut open = Vec::new();
            for thread in threads {
                match self.read_outside(thread)? {
                    Outside::Told(seen, told) => findings.add(thread, seen, told),
                    Outside::Gone => {}
                    Outside::Runs { seen, deaf } if !deaf && !late.contains(&thread) => {
                        running.push((thread, seen));
                    }
                    Outside::Runs { .. } => open.push(thread),
                }
            }
            let deaf = open.len();
            self.ask_running(running, round >= ROUNDS / 2, &mut open, &mut late, findings)?;
            if open.is_empty() {
                return Ok(());
            }
            // It may be about to start, or to block.
            if deaf > 0 {
                std::thread::sleep(Duration::from_micros(if round < ROUNDS / 2 { 200 } else { 5000 }));
            }
            threads = open;
        }
        for thread in threads {
            findings.silent.push(Silent { thread, why: "it runs and does not answer a signal" });
        }
        Ok(())
    }

    /// Asks by signal. Those without an answer are added to `open`.
    fn ask_running(
        &mut self,
        mut running: Vec<(i32, bool)>,
        insist: bool,
        open: &mut Vec<i32>,
        late: &mut BTreeSet<i32>,
        findings: &mut Findings,
    ) -> Told<()> {
        let Some(signal) = self.signal.filter(|_| !running.is_empty()) else { return Ok(()) };
        running.sort_unstable();
        let Self { ref mut line, wanted, restorer, ref mappings, ref contexts, ref mut odd, .. } = *self;
        let memory = Memory { wanted, mappings, contexts, restorer };
        let replies = line.ask(signal, &running, insist, &memory);
        let mut lost = false;
        for ((thread, _), reply) in running.into_iter().zip(replies) {
            match reply {
                Reply::All(seen) => findings.add(thread, seen, Ok(())),
                Reply::Elsewhere(mut seen, place) => {
                    let told = memory.native(&place, &mut seen);
                    findings.add(thread, seen, told);
                }
                Reply::Unknown(mut seen, place) if !odd.insert(thread) => {
                    let told = memory.unknown(&place, &mut seen);
                    findings.add(thread, seen, told);
                }
                Reply::Gone => {}
                Reply::NotAsked => open.push(thread),
                Reply::Unknown(..) | Reply::Lost => {
                    lost = true;
                    open.push(thread);
                }
                Reply::Late => {
                    late.insert(thread);
                    open.push(thread);
                }
            }
        }
        if lost { self.look_again() } else { Ok(()) }
    }

    /// Reads a thread that does not run during it: it was blocked before and after, and has
    /// not been switched from meanwhile.
    fn read_outside(&mut self, number: i32) -> Told<Outside> {
        let silent = |why| Ok(Outside::Told(Seen::nothing(self.wanted), Err(why)));
        let mut unread = None;
        let mut deaf = true;
        for _ in 0..3 {
            let Some(before) = task::status(number) else {
                return if task::exists(number) {
                    silent("its status cannot be read")
                } else {
                    Ok(Outside::Gone)
                };
            };
            deaf = self.signal.is_none_or(|signal| before.blocked_signals >> (signal - 1) & 1 != 0);
            match before.state {
                b'Z' | b'X' => return Ok(Outside::Gone),
                b't' => return silent("a debugger has stopped it"),
                _ => {}
            }
            let doing = task::doing(number);
            let blocked = match doing {
                Doing::Blocked(blocked) => blocked,
                Doing::Gone => return Ok(Outside::Gone),
                Doing::Outside if before.state == b'T' => return silent("it is stopped"),
                _ => return Ok(Outside::Runs { seen: doing == Doing::Running, deaf }),
            };
            match blocked.call {
                // Neither comes back.
                libc::SYS_exit | libc::SYS_exit_group => return Ok(Outside::Gone),
                libc::SYS_vfork | libc::SYS_clone | libc::SYS_clone3 => {
                    return silent("it waits for a child process that runs on its stack");
                }
                _ => {}
            }
            let mut registers = [blocked.pc; 7];
            registers[1..].copy_from_slice(&blocked.arguments);
            let thread = Thread { number, sp: blocked.sp, pointer: None, alternate: None };
            let mut seen = Seen::nothing(self.wanted);
            let told = self.memory().look(&thread, &registers, &mut seen);
            if task::doing(number) == doing && task::status(number) == Some(before) {
                if seen.odd && self.odd.insert(number) {
                    self.look_again()?;
                    continue;
                }
                if told.is_ok() {
                    return Ok(Outside::Told(seen, told));
                }
                // Perhaps its stack is newer than what is known of the mappings.
                unread = Some((seen, told));
                self.look_again()?;
            }
        }
        Ok(match unread {
            Some((seen, told)) => Outside::Told(seen, told),
            None => Outside::Runs { seen: true, deaf },
        })
    }
}
