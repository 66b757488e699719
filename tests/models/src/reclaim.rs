//! When retired code may be freed.
//!
//! Callers run while versions are committed, retired and freed. Loom notices code that is
//! executed after, or at the same time as, it is freed.

use std::rc::Rc;
use std::sync::Arc;

use loom::thread;

use crate::seeded::{Bug, bug, notices};
use crate::world::{Loads, Place, Thread, World, explore};

/// What was freed in some interleaving, and what was kept because a thread that answered
/// was in it, or in gates that lead to it.
#[derive(Default)]
struct Fates {
    freed: Vec<Place>,
    kept: Vec<Place>,
}

impl Fates {
    /// Asserts that all that these updates retired was freed in some interleaving and kept in
    /// some other: a model that never gets there shows nothing.
    fn are_all_seen(&self, updates: usize) {
        for update in 0..updates {
            for place in [Place::Gates(update), Place::Body(update)] {
                assert!(self.freed.contains(&place), "{place:?} was never freed");
                assert!(self.kept.contains(&place), "{place:?} was never kept");
            }
        }
    }
}

/// Frees what of `retired` no thread can be in. Asks every thread where it is; who does not
/// answer may be anywhere.
fn reclaim(world: &World, threads: &[Rc<Thread>], retired: &[Place], fates: &mut Fates) {
    let mut held = Vec::new();
    for (number, thread) in threads.iter().enumerate() {
        if bug(Bug::SkipThread) && number + 1 == threads.len() {
            continue;
        }
        match thread.interrupt() {
            Some([pc, _]) if bug(Bug::SkipRegisters) => held.push(pc),
            Some(places) => held.extend(places),
            None if bug(Bug::IgnoreSilent) => {}
            None => return,
        }
    }
    if bug(Bug::FreeAtRetire) {
        held.clear();
    }
    for &place in retired {
        let kept = held.iter().any(|&at| match (at, place) {
            // Who is in a gate may go on to either body. Update n ends version n.
            (Place::Gates(update), Place::Body(version)) if !bug(Bug::IgnoreKeeps) => {
                (update..=update + 1).contains(&version)
            }
            _ => at == place,
        });
        let at_once = bug(Bug::FreeGatesAtOnce) && matches!(place, Place::Gates(_));
        let fate = if kept { &mut fates.kept } else { &mut fates.freed };
        if !fate.contains(&place) {
            fate.push(place);
        }
        if !kept || at_once {
            match place {
                Place::Body(version) => world.bodies[version].free(),
                Place::Gates(update) => world.gates[update].free(),
                Place::Outside => {}
            }
        }
    }
}

/// Threads call slots while `updates` are committed one after the other, and what each has
/// retired is freed in between.
fn freeing(
    loads: Loads,
    orders: &'static [&'static [usize]],
    updates: usize,
    preemptions: Option<usize>,
) -> Fates {
    let fates = Arc::new(std::sync::Mutex::new(Fates::default()));
    let found = fates.clone();
    explore(preemptions, move || {
        let threads: Vec<Rc<Thread>> = orders.iter().map(|_| Thread::new()).collect();
        let steps: Vec<(usize, usize)> = (0..updates).map(|version| (version, version + 1)).collect();
        let interrupted: Vec<&Rc<Thread>> = threads.iter().collect();
        let world = World::new(loads, &steps, &interrupted);
        let running = threads.iter().zip(orders).map(|(me, order)| {
            let (world, me) = (world.clone(), me.clone());
            thread::spawn(move || {
                let seen: Vec<usize> = order.iter().map(|&slot| world.call(&me, slot)).collect();
                assert!(seen.is_sorted(), "versions in the order of calls: {seen:?}");
                me.ends();
            })
        });
        let running: Vec<_> = running.collect();
        let mut retired = Vec::new();
        for update in 0..updates {
            if !world.commit(update) {
                break;
            }
            retired.extend([Place::Gates(update), Place::Body(update)]);
            reclaim(&world, &threads, &retired, &mut fates.lock().unwrap());
        }
        for thread in running {
            thread.join().unwrap();
        }
    });
    std::mem::take(&mut *found.lock().unwrap())
}

fn one_call() -> Fates {
    freeing(Loads::Acquire, &[&[0]], 1, None)
}

fn one_call_through_a_register() -> Fates {
    freeing(Loads::Register, &[&[0]], 1, None)
}

fn two_callers() -> Fates {
    freeing(Loads::Acquire, &[&[0], &[1]], 1, Some(2))
}

fn two_commits() -> Fates {
    freeing(Loads::Acquire, &[&[0, 1]], 2, Some(3))
}

#[test]
fn a_body_lives_while_a_thread_is_in_it() {
    one_call().are_all_seen(1);
}

#[test]
fn a_body_lives_while_a_register_leads_to_it() {
    one_call_through_a_register().are_all_seen(1);
    freeing(Loads::Plain, &[&[0]], 1, Some(6));
}

#[test]
fn every_thread_counts() {
    two_callers().are_all_seen(1);
}

#[test]
fn gates_of_two_commits_live_while_a_thread_is_in_them() {
    two_commits().are_all_seen(2);
}

#[test]
fn each_bug_of_reclaiming_shows() {
    let bugs = [Bug::FreeAtRetire, Bug::FreeGatesAtOnce, Bug::IgnoreKeeps, Bug::IgnoreSilent];
    notices(&bugs, one_call);
    notices(&bugs, two_commits);
    notices(&[Bug::SkipThread], two_callers);
    notices(&[Bug::SkipRegisters], one_call_through_a_register);
}
