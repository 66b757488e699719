//! How fast Lua runs once it is loaded, and after a hundred edits, by each way.
//!
//! Each way loads Lua at O2 in a process of its own and runs the mixed work of the
//! foundation's figures, several times; others do so after a hundred edits: hotslot, when its
//! background tier has nothing left to do, and LLJIT. The native build is clang -O2 of the same
//! files, linked statically into one executable, which starts the work when told to; it runs
//! before each of them, and a ratio is of such neighbours. Time is the processor time of the
//! thread that runs the script; rounds of all ways take turns. All must write the same.

use std::ffi::{CString, c_char};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::{Command, Stdio};

use crate::child::{self, tell};
use crate::report::Row;
use crate::rounds::{median, thread_time};
use crate::ways::{Level, Way};
use crate::{changes, contenders, inputs, quick};

/// Runs of the script in a process, and the first ones, which are not kept.
const TURNS: usize = 6;
const WARM: usize = 1;
/// Edits before the second figure.
const EDITS: usize = 100;
/// Rounds of all processes.
const ROUNDS: usize = 4;

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    inputs::prepare("lua");
    inputs::native_lua();
    let mut ways: Vec<(&str, usize)> = contenders::all().iter().map(|way| (way.name, 0)).collect();
    // What starts a process of its own is the native build, below, whatever linked it; and before
    // an edit the modes of hotslot are the same.
    ways.retain(|(way, _)| !way.starts_with("native") && *way != "hotslot-full");
    ways.retain(|(way, _)| !quick() || ["hotslot", "lljit"].contains(way));
    ways.push(("hotslot", EDITS));
    if !quick() {
        ways.extend([("hotslot-full", EDITS), ("lljit", EDITS)]);
    }
    let mut ratios = vec![Vec::new(); ways.len()];
    let mut times = vec![Vec::new(); ways.len()];
    let (mut natives, mut outputs) = (Vec::new(), Vec::new());
    for round in 0..if quick() { 1 } else { ROUNDS } {
        for turn in 0..ways.len() {
            let index = (round + turn) % ways.len();
            let (way, edits) = ways[index];
            // hotslot is measured in every round, the others in one.
            if round > 0 && !way.starts_with("hotslot") {
                continue;
            }
            let native = native_run();
            let values = child::run("steady", &[way, &edits.to_string()]);
            let Some(&time) = values.get("turn") else { continue };
            natives.push(native);
            times[index].push(time);
            ratios[index].push(time / native);
            outputs.extend(values.get("output").copied());
        }
    }
    assert!(outputs.iter().all(|output| *output == outputs[0]), "the ways' scripts write different things");
    let all = ways.iter().zip(times.iter().zip(&ratios)).filter(|(_, (times, _))| !times.is_empty());
    all.map(|(&(way, edits), (times, ratios))| row(way, edits, times, ratios, median(&natives))).collect()
}

fn row(way: &str, edits: usize, times: &[f64], ratios: &[f64], native: f64) -> Row {
    let (time, ratio) = (median(times), median(ratios));
    let after = match (edits, way) {
        (0, _) => String::new(),
        (_, "hotslot") => format!(" after {edits} edits and the background tier"),
        _ => format!(" after {edits} edits"),
    };
    let (least, most) = ratios.iter().fold((f64::NAN, f64::NAN), |(l, m), &r| (r.min(l), r.max(m)));
    let words = format!(
        "{:.0} ms against {:.0} ms: {ratio:.3}x ({least:.3}x to {most:.3}x in {} rounds)",
        time * 1e3,
        native * 1e3,
        ratios.len()
    );
    let row = Row::reported(format!("Lua runs a script{after}, {way}, against clang -O2"), words);
    let row = row.number("ms", time * 1e3).number("native_ms", native * 1e3).number("ratio", ratio);
    let row = row.number("least", least).number("most", most).number("rounds", ratios.len() as f64);
    match (way, edits) {
        ("hotslot", EDITS) => row.target("<= 1.03x", ratio <= 1.03),
        _ => row,
    }
}

/// Seconds of the native build's turns, in the median.
fn native_run() -> f64 {
    let mut command = Command::new(inputs::native_lua());
    command.arg(inputs::script()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the native build starts");
    let (go, lines) = (process.stdin.take(), process.stderr.take());
    let (mut go, lines) = (go.expect("it is piped"), lines.expect("it is piped"));
    go.write_all(&[b'1'; TURNS]).expect("it waits for this");
    drop(go);
    let lines = BufReader::new(lines).lines().map_while(Result::ok);
    let turns = lines.filter_map(|line| line.strip_prefix("turn ")?.parse().ok());
    let turns: Vec<f64> = turns.skip(WARM).collect();
    assert!(process.wait().is_ok_and(|status| status.success()), "the native build failed");
    median(&turns)
}

/// Measures in a process of its own: way, edits.
pub fn child(arguments: &[&str]) {
    let [way, edits] = arguments else { panic!("way, edits") };
    let edits: usize = edits.parse().expect("a number");
    let program = inputs::program("lua", way);
    let mut loaded = match contenders::load(way, &program, Level::O2) {
        Ok(loaded) => loaded,
        Err(why) => return eprintln!("{way} cannot do Lua: {why}"),
    };
    let modules = (0..program.modules.len()).filter(|&m| changes::middle(&program.modules[m]).is_some());
    let modules: Vec<usize> = modules.collect();
    for (made, &module) in modules.iter().cycle().take(edits).enumerate() {
        let Some(edit) = changes::edit("lua", &program, module, made as i32) else { continue };
        loaded.edit(&edit).unwrap_or_else(|why| panic!("{way}: {why}"));
    }
    loaded.settle();
    let address = match loaded.address("main") {
        Ok(Some(address)) => address,
        Ok(None) => return,
        Err(why) => return eprintln!("{way}: {why}"),
    };
    // SAFETY: C's main, of a program that is loaded completely and stays so.
    let main = unsafe { std::mem::transmute::<usize, extern "C" fn(i32, *mut *mut c_char) -> i32>(address) };
    let words = ["program", &inputs::script()].map(|word| CString::new(word).unwrap_or_default());
    let (mut times, mut output) = (Vec::new(), 0);
    for _ in 0..TURNS {
        let mut argv: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        argv.push(std::ptr::null_mut());
        let mut took = 0.0;
        let text = captured(|| {
            let begun = thread_time();
            assert_eq!(main(words.len() as i32, argv.as_mut_ptr()), 0, "the script failed");
            took = thread_time() - begun;
        });
        times.push(took / 1e9);
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        output = hasher.finish() as u32;
    }
    forget(loaded);
    tell("turn", median(&times[WARM..]));
    tell("output", f64::from(output));
}

/// Tearing it down is not what is looked at.
fn forget(way: Box<dyn Way>) {
    std::mem::forget(way);
}

/// What C code writes to standard output while `work` runs.
fn captured(work: impl FnOnce()) -> Vec<u8> {
    let mut text = Vec::new();
    // SAFETY: new descriptors, which nobody else has; what C code has in its buffers goes out
    // before the old one is back.
    unsafe {
        let own = libc::dup(1);
        let mut file = File::from_raw_fd(libc::memfd_create(c"output".as_ptr(), 0));
        libc::dup2(file.as_raw_fd(), 1);
        work();
        libc::fflush(std::ptr::null_mut());
        libc::dup2(own, 1);
        libc::close(own);
        file.rewind().and_then(|()| file.read_to_end(&mut text)).expect("a file in memory");
    }
    text
}
