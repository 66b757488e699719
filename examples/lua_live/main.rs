//! `./x demo`: the real Lua interpreter, one module of it replaced while a script runs in it.
//!
//! 1. clang compiles the C files of Lua 5.4 to bitcode; each becomes a module of one runtime.
//! 2. A thread of its own runs a Lua script, a loop that never leaves the interpreter. It keeps a
//!    counter and a table, and makes each line with `string.upper`, from Lua's `lstrlib.c`.
//! 3. While it runs, the text of `lstrlib.c` is edited and the module replaced. The next line
//!    shows the new behaviour; counter and table go on.
//! 4. What that cost stands beside a full relink of the same program, measured right after: all
//!    modules linked into one, optimised and compiled again, and the program started afresh.
//!
//! It checks what it shows and exits with an error when something is off, so it is a test too.

mod relink;
mod script;
mod sources;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hotslot::{OptLevel, Runtime, Source};
use script::Script;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The module that changes, and the edit: every second letter becomes a small one.
const MODULE: &str = "lstrlib.c";
const BEFORE: &str = "p[i] = toupper(uchar(s[i]));";
const AFTER: &str = "p[i] = i % 2 ? tolower(uchar(s[i])) : toupper(uchar(s[i]));";
const OLD_TEXT: &str = "THE SCRIPT NEVER STOPS";
const NEW_TEXT: &str = "ThE ScRiPt nEvEr sToPs";

/// Lines to wait for before the edit, and after it.
const LINES: usize = 6;

fn main() -> Result<()> {
    let lua = sources::lua_directory()?;
    let files = sources::c_files(&lua)?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();

    println!("Lua is in {} C files. clang compiles each to bitcode.", files.len());
    let started = Instant::now();
    let mut modules = sources::front_end_all(&files, &lua)?;
    println!("  {:.1} s\n", started.elapsed().as_secs_f64());

    println!("Each file becomes a module: LLVM optimises it (-O2), hotslot links it.");
    let runtime = Runtime::builder().opt_level(OptLevel::O2).build()?;
    let mut update = runtime.update();
    for (path, bitcode) in files.iter().zip(&modules) {
        // clang's own output, so LLVM's reader needs no child process to be safe in.
        update.load(name(path), Source::bitcode(bitcode.clone()).trusted());
    }
    let started = Instant::now();
    let report = update.commit()?;
    check(report.undefined.is_empty(), || format!("undefined symbols: {:?}", report.undefined))?;
    let functions: usize = report.modules.iter().map(|module| module.functions).sum();
    println!("  {:.1} s, {functions} functions\n", started.elapsed().as_secs_f64());

    println!("A Lua script runs in a thread of its own. It is never restarted.");
    let mut script = Script::start(&runtime)?;
    for _ in 0..LINES {
        let line = script.next_line()?;
        check(line == OLD_TEXT, || format!("expected {OLD_TEXT}"))?;
    }

    println!("\n  {MODULE} is edited:\n    - {BEFORE}\n    + {AFTER}");
    let source = fs::read_to_string(lua.join(MODULE))?;
    check(source.matches(BEFORE).count() == 1, || format!("{MODULE} has no line to edit"))?;
    let started = Instant::now();
    let edited = sources::front_end(source.replace(BEFORE, AFTER).into(), &lua)?;
    let front = started.elapsed();
    let started = Instant::now();
    let report = runtime.replace(MODULE, Source::bitcode(edited.clone()).trusted())?;
    let replace = started.elapsed();
    println!("  {MODULE} is replaced, {:.0} ms after the edit\n", ms(front + replace));

    // The script went on meanwhile: lines from before the replacement come first.
    let mut new = 0;
    while new < LINES {
        match script.next_line()? {
            line if line == NEW_TEXT => new += 1,
            line => check(line == OLD_TEXT && new == 0, || format!("expected {NEW_TEXT}"))?,
        }
    }
    script.stop(OLD_TEXT, NEW_TEXT)?;

    println!("\nThe same edit by a full relink: all modules linked into one, optimised, compiled.");
    let index = files.iter().position(|path| name(path) == MODULE).ok_or("the module has gone")?;
    modules[index] = edited;
    let full = relink::relink(&modules)?;

    let link = report.times.link + report.times.publish;
    let generate = report.times.parse + report.times.optimise + report.times.codegen;
    println!("\n                                       one module      full relink");
    let row = |what: &str, ours: String, theirs: String| println!("  {what:<32} {ours:>14} {theirs:>16}");
    let in_ms = |time: Duration| format!("{:.0} ms", ms(time));
    let in_us = |time: Duration| format!("{:.0} us", time.as_secs_f64() * 1e6);
    row("front end (clang, the one file)", in_ms(front), in_ms(front));
    row("parse, optimise, generate code", in_ms(generate), in_ms(full.generate));
    row("link and publish", in_us(link), in_us(full.link));
    row("from the edit to the new code", in_ms(front + replace), in_ms(front + full.generate + full.link));
    row("what the script knew", "kept".into(), "lost".into());
    let ratio = (front + full.generate + full.link).as_secs_f64() / (front + replace).as_secs_f64();
    println!("\n{ratio:.1} times faster. Both columns were measured just now, once each, on this machine:");
    println!("-O2, one thread, every module's bitcode in memory, of the front end only the edited file.");
    Ok(())
}

fn check(right: bool, what: impl FnOnce() -> String) -> Result<()> {
    if right { Ok(()) } else { Err(what().into()) }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
