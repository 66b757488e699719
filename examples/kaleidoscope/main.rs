//! Kaleidoscope, the language of the LLVM tutorial, as a REPL on hotslot and inkwell.
//!
//!     cargo run --example kaleidoscope                    # at a terminal
//!     cargo run --example kaleidoscope < script.kal       # or a script
//!
//! Each definition is a module of its own, named after its function. To define a function again is to
//! replace its module, and those who called it before call the new one. An expression is a module without
//! a name, run under a guard and freed afterwards: it may crash, recurse for ever or be stopped with
//! Ctrl-C, and the session goes on. The guide to it is docs/embedding.md.
#![allow(unsafe_code)] // handles to generated code are made with a promise

mod emit;
mod syntax;

use std::collections::HashMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use hotslot::{Interrupt, Runtime, Source};
use inkwell::context::Context;
use syntax::{Expr, Item, Operators, Prototype, Trouble};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Writes the character with that number.
extern "C" fn putchard(character: f64) -> f64 {
    let mut out = io::stdout();
    let _ = out.write_all(&[character as u8]).and_then(|()| out.flush());
    0.0
}

/// Writes the number and ends the line.
extern "C" fn printd(number: f64) -> f64 {
    println!("{number}");
    0.0
}

struct Session {
    runtime: Runtime,
    operators: Operators,
    /// How many parameters the functions of libraries have: only the user knows.
    externs: HashMap<String, usize>,
    stop: Interrupt,
}

impl Session {
    fn new(stop: Interrupt) -> Result<Self> {
        let runtime = Runtime::builder().contain_aborts(true).history(0).build()?;
        // SAFETY: the functions have this type, and stay. To be left in the middle harms neither.
        unsafe {
            runtime.define::<extern "C" fn(f64) -> f64>("putchard", putchard)?;
            runtime.define::<extern "C" fn(f64) -> f64>("printd", printd)?;
        }
        let (operators, externs) = (Operators::from(syntax::OPERATORS), HashMap::new());
        Ok(Self { runtime, operators, externs, stop })
    }

    /// Does what `input` says; `false` if there has to be more of it.
    fn run(&mut self, input: &str, first_line: usize) -> Result<bool> {
        let items = match syntax::parse(input, &mut self.operators) {
            Ok(items) => items,
            Err(Trouble::Incomplete) => return Ok(false),
            Err(Trouble::Wrong(line, what)) => Err(format!("line {}: {what}", first_line + line - 1))?,
        };
        for item in items {
            match item {
                Item::Definition(prototype, body) => self.define(&prototype, &body)?,
                Item::Extern(prototype) => self.declare(prototype)?,
                Item::Expression(expr) => println!("{}", self.evaluate(&expr)?),
            }
        }
        Ok(true)
    }

    /// How many parameters the function `name` has. What modules and the host define hotslot knows.
    fn arity(&self, name: &str) -> Option<usize> {
        let known = self.runtime.symbol(name).and_then(|symbol| symbol.signature);
        let counted = known.map(|signature| signature.matches("double").count() - 1);
        counted.or_else(|| self.externs.get(name).copied())
    }

    /// Emits the function and makes a source of it.
    fn source(&self, prototype: &Prototype, body: &Expr) -> Result<Source> {
        let context = Context::create();
        let module = emit::module(&context, prototype, body, &|name| self.arity(name))?;
        Ok(Source::module(&module))
    }

    fn define(&self, prototype: &Prototype, body: &Expr) -> Result<()> {
        let name = &prototype.name;
        let source = self.source(prototype, body)?;
        let known = self.runtime.history(name).is_ok();
        let change = if known { Runtime::replace } else { Runtime::load };
        Ok(change(&self.runtime, name, source).map(|_| ())?)
    }

    fn declare(&mut self, prototype: Prototype) -> Result<()> {
        let Prototype { name, parameters } = prototype;
        let symbol = self.runtime.symbol(&name).ok_or(format!("nothing defines {name}"))?;
        if symbol.signature.is_some() && self.arity(&name) != Some(parameters.len()) {
            return Err(format!("{name} has another number of parameters").into());
        }
        self.externs.insert(name, parameters.len());
        Ok(())
    }

    fn evaluate(&self, expr: &Expr) -> Result<f64> {
        // No user can call a function so.
        let prototype = Prototype { name: "the expression".to_owned(), parameters: Vec::new() };
        let module = self.runtime.anonymous(self.source(&prototype, expr)?)?;
        // SAFETY: it has this type, and is run under a guard. What an `extern` of a library does with the
        // numbers that it gets is the user's business.
        let function = unsafe { module.function::<extern "C" fn() -> f64>("the expression")? };
        Ok(function.guarded().interrupt(&self.stop).call()?)
    }
}

/// Has a thread of its own wait for Ctrl-C, which ends the expression that runs, or else the input that is
/// being typed. To be called before any other thread starts, so that none of them gets the signal.
fn wait_for_interrupts(stop: Interrupt, prompt: &'static str) {
    // SAFETY: zeroes are a valid set, filled before it is used.
    let set = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        set
    };
    std::thread::spawn(move || {
        // SAFETY: as above.
        while unsafe { libc::sigwait(&set, &mut 0) } == 0 {
            if stop.interrupt() > 0 {
                continue;
            } else if prompt.is_empty() {
                std::process::exit(130);
            }
            DROPPED.store(true, Ordering::Relaxed);
            eprint!("\n{prompt}");
        }
    });
}

/// Ctrl-C was pressed at the prompt.
static DROPPED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<ExitCode> {
    let prompt = if io::stdin().is_terminal() { "ready> " } else { "" };
    let stop = Interrupt::new();
    wait_for_interrupts(stop.clone(), prompt);
    let mut session = Session::new(stop)?;
    let (mut input, mut first_line, mut failed) = (String::new(), 1, false);
    eprint!("{prompt}");
    for (number, line) in io::stdin().lock().lines().enumerate() {
        if DROPPED.swap(false, Ordering::Relaxed) || input.is_empty() {
            (input, first_line) = (String::new(), number + 1);
        }
        input = input + &line? + "\n";
        let before = session.operators.clone();
        match session.run(&input, first_line) {
            Ok(true) => input.clear(),
            Ok(false) => session.operators = before,
            Err(error) => {
                eprintln!("error: {error}");
                (session.operators, failed) = (before, true);
                input.clear();
            }
        }
        eprint!("{}", if prompt.is_empty() || input.is_empty() { prompt } else { "     > " });
    }
    if !input.is_empty() {
        eprintln!("error: line {first_line}: the input ends in the middle of this");
    }
    let failed = prompt.is_empty() && (failed || !input.is_empty());
    Ok(ExitCode::from(u8::from(failed)))
}
