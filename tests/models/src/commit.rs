//! Who can see what of a commit.
//!
//! Two slots change together. A thread that reached new code must not reach old code by a
//! call that happens after that.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::publish::Epoch;
use crate::seeded::{Bug, notices};
use crate::world::{Loads, Thread, World, explore};

/// One committer, and for each element of `orders` a thread that calls slots in this order.
/// Gives all that any thread saw in any interleaving.
fn callers(
    loads: Loads,
    orders: &'static [&'static [usize]],
    preemptions: Option<usize>,
) -> BTreeSet<Vec<usize>> {
    let all = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let found = all.clone();
    explore(preemptions, move || {
        let threads: Vec<Rc<Thread>> = orders.iter().map(|_| Thread::new()).collect();
        let interrupted: Vec<&Rc<Thread>> = threads.iter().filter(|_| loads == Loads::Plain).collect();
        let world = World::new(loads, &[(0, 1)], &interrupted);
        let running = threads.into_iter().zip(orders).map(|(me, order)| {
            let (world, all) = (world.clone(), all.clone());
            thread::spawn(move || {
                let seen: Vec<usize> = order.iter().map(|&slot| world.call(&me, slot)).collect();
                assert!(seen.is_sorted(), "versions in the order of calls: {seen:?}");
                all.lock().unwrap().insert(seen);
                me.ends();
            })
        });
        let running: Vec<_> = running.collect();
        world.commit(0);
        for thread in running {
            thread.join().unwrap();
        }
    });
    std::mem::take(&mut *found.lock().unwrap())
}

/// What two calls may see. A model that misses one explores too little.
fn every_outcome() -> BTreeSet<Vec<usize>> {
    BTreeSet::from([vec![0, 0], vec![0, 1], vec![1, 1]])
}

fn one_caller() {
    callers(Loads::Acquire, &[&[0, 1]], None);
    callers(Loads::Acquire, &[&[1, 0]], None);
}

fn one_caller_with_plain_loads() {
    callers(Loads::Plain, &[&[0, 1]], Some(5));
    callers(Loads::Plain, &[&[1, 0]], Some(5));
}

#[test]
fn a_caller_never_goes_back() {
    one_caller();
    assert_eq!(callers(Loads::Acquire, &[&[0, 1]], None), every_outcome());
    callers(Loads::Acquire, &[&[0, 1, 0]], None);
}

#[test]
fn two_callers_never_go_back() {
    assert_eq!(callers(Loads::Acquire, &[&[0, 1], &[1, 0]], Some(3)), every_outcome());
}

#[test]
fn a_caller_with_plain_loads_never_goes_back() {
    one_caller_with_plain_loads();
    assert_eq!(callers(Loads::Plain, &[&[0, 1]], Some(4)), every_outcome());
}

/// One slot changes, and its new body calls a function that comes with it.
fn new_function(loads: Loads) {
    explore(None, move || {
        let me = Thread::new();
        let interrupted: &[&Rc<Thread>] = if loads == Loads::Plain { &[&me] } else { &[] };
        let world = World::with_new_function(loads, interrupted);
        let caller = {
            let (world, me) = (world.clone(), me.clone());
            thread::spawn(move || {
                if world.call(&me, 0) == 1 {
                    world.call(&me, 1);
                }
                me.ends();
            })
        };
        world.commit(0);
        caller.join().unwrap();
    });
}

#[test]
fn new_code_finds_what_came_with_it() {
    new_function(Loads::Acquire);
    new_function(Loads::Plain);
}

#[test]
fn a_caller_shows_each_bug_of_the_order() {
    notices(&[Bug::SkipGates, Bug::BodiesBeforeWord, Bug::WordBeforeGates, Bug::SwappedGate], one_caller);
    notices(&[Bug::RelaxedCommitWord], one_caller);
    notices(&[Bug::SkipSettle], one_caller_with_plain_loads);
    notices(&[Bug::SkipSettle], || new_function(Loads::Plain));
}

/// One thread calls and tells another what it saw; that one calls then.
fn message(loads: Loads, preemptions: Option<usize>) {
    explore(preemptions, move || {
        let (first, second) = (Thread::new(), Thread::new());
        let interrupted: &[&Rc<Thread>] = if loads == Loads::Plain { &[&first, &second] } else { &[] };
        let world = World::new(loads, &[(0, 1)], interrupted);
        let told = Arc::new(AtomicUsize::new(0));
        let teller = {
            let (world, told) = (world.clone(), told.clone());
            thread::spawn(move || {
                told.store(world.call(&first, 0), Ordering::Release);
                first.ends();
            })
        };
        let listener = {
            let world = world.clone();
            thread::spawn(move || {
                let told = told.load(Ordering::Acquire);
                let seen = world.call(&second, 1);
                assert!(told <= seen, "heard of version {told}, called version {seen}");
                second.ends();
            })
        };
        world.commit(0);
        teller.join().unwrap();
        listener.join().unwrap();
    });
}

#[test]
fn who_was_told_of_new_code_reaches_it() {
    message(Loads::Acquire, Some(3));
}

#[test]
fn who_was_told_of_new_code_reaches_it_with_plain_loads() {
    message(Loads::Plain, Some(3));
}

#[test]
fn a_message_shows_each_bug_of_the_order() {
    let bugs = [Bug::SkipGates, Bug::BodiesBeforeWord, Bug::WordBeforeGates, Bug::RelaxedCommitWord];
    notices(&bugs, || message(Loads::Acquire, Some(3)));
    notices(&[Bug::SkipSettle], || message(Loads::Plain, Some(3)));
}

/// Two updates are prepared against version 0; two threads commit them. The one that comes
/// second finds out and prepares again. Updates, by index: each from version 0, and each from
/// what the other leaves.
fn overtaken() {
    const FROM: [(usize, usize); 4] = [(0, 1), (0, 2), (2, 1), (1, 2)];
    explore(Some(2), || {
        let me = Thread::new();
        let world = World::new(Loads::Acquire, &FROM, &[]);
        let order = Arc::new(Mutex::new((Epoch::default(), vec![0])));
        let committers: Vec<_> = (0..2)
            .map(|first_choice| {
                let (world, order) = (world.clone(), order.clone());
                let prepared = Epoch::default();
                thread::spawn(move || {
                    let (now, done) = &mut *order.lock().unwrap();
                    let again = if now.has_overtaken(prepared) { 2 } else { 0 };
                    world.commit(first_choice + again);
                    now.advance();
                    done.push(FROM[first_choice].1);
                })
            })
            .collect();
        let seen = [world.call(&me, 0), world.call(&me, 1)];
        for committer in committers {
            committer.join().unwrap();
        }
        let order = &order.lock().unwrap().1;
        let at = |version| order.iter().position(|&done| done == version);
        assert!(at(seen[0]) <= at(seen[1]), "called {seen:?}, committed in the order {order:?}");
    });
}

#[test]
fn an_overtaken_update_undoes_nothing() {
    overtaken();
}

#[test]
fn an_update_that_is_overtaken_unnoticed_shows() {
    notices(&[Bug::OvertakenUnnoticed], overtaken);
}
