//! Who has the new code after an edit: callers in other modules, and data.
//!
//! In a generated program a function of another module, which calls the edited one, is called
//! after the edit, at the address where it was before: as whoever has called it all along would
//! call it. It notes what was returned to it. Another variable was set before the edit.
//! Time is not looked at; this says what the times of the other figures buy.

use crate::child::{self, tell};
use crate::report::Row;
use crate::ways::{Level, Result, Trouble, Way};
use crate::{contenders, generated, inputs};

/// The program, the edited module and what its function answers then.
const COUNT: usize = 10;
const EDITED: usize = 4;
const ANSWER: i32 = 1_234_567;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let name = format!("generated-{COUNT}");
    inputs::prepare(&name);
    let mut rows = Vec::new();
    for way in contenders::all() {
        // A program that starts again has the new code, and nothing else is the same.
        if way.name.starts_with("native") {
            continue;
        }
        let values = child::run("follow", &[way.name]);
        let said = |what: &str| match values.get(what) {
            Some(&1.0) => "yes",
            Some(_) => "no",
            None => "not known",
        };
        let words = format!("callers elsewhere {}, variables kept {}", said("follows"), said("kept"));
        let row = Row::reported(format!("after an edit, without another one: {}", way.name), words);
        let row = match way.name {
            "hotslot" | "hotslot-full" => {
                row.target("yes", said("follows") == "yes" && said("kept") == "yes")
            }
            _ => row,
        };
        rows.push(row.number("host_lines", way.lines() as f64));
    }
    rows
}

/// Looks in a process of its own: way.
pub fn child(arguments: &[&str]) {
    let [way] = arguments else { panic!("way") };
    let program = inputs::program(&format!("generated-{COUNT}"), way);
    let looked = contenders::load(way, &program, Level::O2).and_then(|mut loaded| {
        let result = look(loaded.as_mut(), way.starts_with("relink"));
        std::mem::forget(loaded);
        result
    });
    match looked {
        Ok((follows, kept)) => {
            tell("follows", f64::from(follows));
            tell("kept", f64::from(kept));
        }
        Err(why) => eprintln!("{way}: {why}"),
    }
}

/// Whether the caller follows the edit, and whether a variable of the edited module is kept.
/// Of a full relink everything is looked up again: the program that was called is gone.
fn look(way: &mut dyn Way, again: bool) -> Result<(bool, bool)> {
    let (module, caller) = generated::caller(EDITED, COUNT).expect("somebody calls it");
    let find = |way: &dyn Way, name: &str| {
        way.address(name)?.ok_or_else(|| Trouble::failed(format!("{name} has no address")))
    };
    let addresses = |way: &dyn Way| -> Result<(*mut i32, *mut i32, usize)> {
        let noted = find(way, &format!("m{module}_last"))?;
        Ok((find(way, "depth")? as *mut i32, noted as *mut i32, find(way, &caller)?))
    };
    let total = format!("m{EDITED}_total");
    let (mut depth, mut noted, mut function) = addresses(way)?;
    // SAFETY: variables of a loaded program, of this type.
    unsafe { (find(way, &total)? as *mut i32).write_volatile(77) };
    way.edit(&generated::edit(EDITED, COUNT, ANSWER))?;
    if again {
        (depth, noted, function) = addresses(way)?;
    }
    // SAFETY: as above; the other ways keep what was there. One call deep, the caller calls the
    // edited function.
    unsafe {
        depth.write_volatile(1);
        std::mem::transmute::<usize, extern "C" fn() -> i32>(function)();
        let follows = noted.read_volatile() == ANSWER;
        Ok((follows, (find(way, &total)? as *mut i32).read_volatile() == 77))
    }
}
