//! When retired code may be freed.
//!
//! Callers run while versions are committed, retired and freed. Loom notices code that is
//! executed after, or at the same time as, it is freed.

use std::sync::Arc;

use loom::thread;

use crate::seeded::{Bug, bug, notices};
use crate::world::{Loads, Place, Thread, World, explore};

/// Frees what of `retired` no thread can be in. Asks every thread where it is; who does not
/// answer may be anywhere.
fn reclaim(world: &World, threads: &[Arc<Thread>], retired: &[Place]) {
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
fn freeing(loads: Loads, orders: &'static [&'static [usize]], updates: usize, preemptions: Option<usize>) {
    explore(preemptions, move || {
        let threads: Vec<Arc<Thread>> = orders.iter().map(|_| Thread::new()).collect();
        let steps: Vec<(usize, usize)> = (0..updates).map(|version| (version, version + 1)).collect();
        let interrupted: Vec<&Arc<Thread>> = threads.iter().collect();
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
            reclaim(&world, &threads, &retired);
        }
        for thread in running {
            thread.join().unwrap();
        }
    });
}

fn one_call() {
    freeing(Loads::Acquire, &[&[0]], 1, None);
}

fn one_call_through_a_register() {
    freeing(Loads::Plain, &[&[0]], 1, Some(4));
}

fn two_callers() {
    freeing(Loads::Acquire, &[&[0], &[1]], 1, Some(2));
}

fn two_commits() {
    freeing(Loads::Acquire, &[&[0, 1]], 2, Some(3));
}

#[test]
fn a_body_lives_while_a_thread_is_in_it() {
    one_call();
}

#[test]
fn a_body_lives_while_a_register_leads_to_it() {
    one_call_through_a_register();
}

#[test]
fn every_thread_counts() {
    two_callers();
}

#[test]
fn gates_of_two_commits_live_while_a_thread_is_in_them() {
    two_commits();
}

#[test]
fn each_bug_of_reclaiming_shows() {
    let bugs = [Bug::FreeAtRetire, Bug::FreeGatesAtOnce, Bug::IgnoreKeeps, Bug::IgnoreSilent];
    notices(&bugs, one_call);
    notices(&bugs, two_commits);
    notices(&[Bug::SkipThread], two_callers);
    notices(&[Bug::SkipRegisters], one_call_through_a_register);
}
