//! What a guarded call costs, and how long it takes from a fault to the code before. Measures with
//! `cargo test --release --test fault_costs -- --ignored --nocapture`.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::hint::black_box;
use std::time::{Duration, Instant};

use hotslot::{Function, Interrupt, Runtime, Source};

type Kind = extern "C" fn(i64) -> i64;

/// The median of nine runs, for each of `count` calls.
fn each(count: u32, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let begun = Instant::now();
            (0..count).for_each(|_| work());
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[4].as_nanos() as f64 / f64::from(count)
}

fn faulty(module: u32, crash: bool) -> Source {
    let body = if crash { "store volatile i64 1, ptr null" } else { "" };
    let others: String = (0..module)
        .map(|n| format!("define i64 @other{n}(i64 %a) uwtable {{ %r = mul i64 %a, {n} ret i64 %r }}\n"))
        .collect();
    Source::ir(format!(
        "{others}define i64 @step(i64 %a) uwtable {{ {body}\n %r = add i64 %a, 1\n ret i64 %r }}"
    ))
    .trusted()
}

#[test]
#[ignore = "measures"]
fn measure() {
    let rt = Runtime::builder().arena_size(256 << 20).build().unwrap();
    rt.load("m", faulty(500, false)).unwrap();
    // SAFETY: the type it has in every version.
    let step: Function<Kind> = unsafe { rt.function("step") }.unwrap();
    let plain = each(10_000_000, || _ = black_box(step.call(black_box(1))));
    let guarded = each(10_000_000, || _ = black_box(step.try_call(black_box(1)).is_ok()));
    println!("a call {plain:.2} ns, guarded {guarded:.2} ns");
    let handle = Interrupt::new();
    let handled = each(200_000, || _ = step.guarded().interrupt(&handle).call(1).unwrap());
    println!("with a handle {handled:.0} ns");
    let limit = Duration::from_secs(60);
    let limited = each(20_000, || _ = step.guarded().deadline(limit).call(1).unwrap());
    println!("with a deadline {limited:.0} ns");
    rt.settle();
    rt.replace("m", faulty(500, true)).unwrap();
    let faults = each(1000, || assert!(step.try_call(1).is_err()));
    println!("from the call to the error of its fault {:.1} us", faults / 1000.0);
    let mut back = Vec::new();
    rt.replace("m", faulty(500, false)).unwrap();
    for _ in 0..50 {
        rt.replace("m", faulty(500, true)).unwrap();
        let begun = Instant::now();
        assert!(step.try_call(1).is_err());
        rt.undo().unwrap().unwrap();
        assert_eq!(step.call(1), 2);
        back.push(begun.elapsed());
        // An update undone is one as well.
        rt.replace("m", faulty(500, false)).unwrap();
    }
    back.sort();
    println!("from the call to the code before {:?}, at most {:?}", back[25], back[49]);
}
