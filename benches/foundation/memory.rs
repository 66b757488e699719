//! Resident memory that 2,000 loads of one small module add.
//!
//! Each way runs in a process of its own. The module is a copy of one template with its own
//! names; after each load one of its functions is called, so that its code is resident as
//! it would be in use. Resident memory (RSS) counts a page once for each place it is mapped
//! at, and hotslot maps code twice; proportional memory (PSS) counts it once in all. Both
//! are reported, and the target is judged by RSS, which is the harder for hotslot.

use std::ffi::CString;

use hotslot::{Runtime, Source};

use crate::child::{self, tell};
use crate::lljit::Lljit;
use crate::objects::{self, Small};
use crate::report::Row;
use crate::resident::resident;

const LOADS: usize = 2000;
/// Loads before the first reading: what is paid once is not what is measured.
const WARM: usize = 20;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let measure = |who: &str| {
        let values = child::run("memory", &[who]);
        let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN) / LOADS as f64;
        (value("rss"), value("pss"))
    };
    let lljit = measure("lljit");
    let rows = [
        ("distinct modules", measure("modules")),
        ("replacements of one module, none freed", measure("replacements")),
    ];
    let rows = rows.into_iter().map(|(what, ours)| {
        let (rss, pss) = (ours.0 / lljit.0, ours.1 / lljit.1);
        Row::reported(
            format!("resident memory of {LOADS} loads, {what}, against LLJIT"),
            format!(
                "RSS {:.1} KiB a load against {:.1}: {rss:.2}; PSS {:.1} against {:.1}: {pss:.2}",
                ours.0, lljit.0, ours.1, lljit.1
            ),
        )
        .target("<= 0.20", rss <= 0.2)
        .number("hotslot_rss_kib", ours.0)
        .number("lljit_rss_kib", lljit.0)
        .number("hotslot_pss_kib", ours.1)
        .number("lljit_pss_kib", lljit.1)
        .number("ratio_rss", rss)
        .number("ratio_pss", pss)
    });
    rows.collect()
}

/// Measures in a process of its own.
pub fn child(arguments: &[&str]) {
    let small = Small::new();
    match arguments {
        ["lljit"] => lljit(&small),
        [way] => hotslot(&small, *way == "replacements"),
        _ => panic!("whose memory?"),
    }
}

fn hotslot(small: &Small, replace: bool) {
    let runtime = Runtime::new().expect("this machine can run hotslot");
    let load = |number: usize, previous: usize, again: bool| {
        let source = Source::object(small.object(number, previous));
        let name = objects::module(number);
        let done = match again {
            true => runtime.replace(name, source),
            false => runtime.load(name, source),
        };
        done.expect("a small module links");
        let function = format!("{}_f0", objects::module(number));
        // SAFETY: the template's signature.
        let function = unsafe { runtime.function::<extern "C" fn(i64) -> i64>(&function) };
        function.expect("just loaded").call(1);
    };
    load(0, 0, false);
    load(1, 0, false);
    measure(|turn| match replace {
        true => load(1, 0, true),
        false => load(turn + 2, turn + 1, false),
    });
}

fn lljit(small: &Small) {
    let lljit = Lljit::new();
    let load = |number: usize, previous: usize| {
        let object = small.object(number, previous);
        let _kept = lljit.add(&object);
        let function = CString::new(format!("{}_f0", objects::module(number))).unwrap_or_default();
        let address = lljit.lookup(&function) as usize;
        // SAFETY: the template's signature.
        let function: extern "C" fn(i64) -> i64 = unsafe { std::mem::transmute(address) };
        function(1);
    };
    load(0, 0);
    measure(|turn| load(turn + 1, turn));
}

fn measure(mut load: impl FnMut(usize)) {
    for turn in 0..WARM {
        load(turn);
    }
    let before = resident();
    for turn in WARM..WARM + LOADS {
        load(turn);
    }
    let after = resident();
    tell("rss", after.0 - before.0);
    tell("pss", after.1 - before.1);
}
