//! Modules to be updated: any number of functions, in as many versions as wanted, and code
//! that calls them.
//!
//! All is C compiled by clang in advance: what is measured is the update, not the compiler.

use std::fmt::Write as _;

use hotslot::{Runtime, Source};

use crate::objects::compile;

/// The module that is updated.
pub const MODULE: &str = "module";

/// A module of `functions` functions; each returns its argument and something that depends on
/// the version. The types come with it, as they do for a module that hotslot compiled.
pub fn version(runtime: &Runtime, functions: usize, version: usize) -> Source {
    let mut text = String::new();
    for i in 0..functions {
        let value = version * 1000 + i;
        let _ = writeln!(text, "define i64 @f{i}(i64 %x) {{\n  %r = add i64 %x, {value}\n  ret i64 %r\n}}");
    }
    runtime.compile(&Source::ir(text)).expect("it compiles")
}

/// A runtime with two generations of a module of `functions` functions. The second is live.
pub fn two_generations(functions: usize) -> Runtime {
    let runtime = Runtime::new().expect("this machine can run hotslot");
    runtime.load(MODULE, version(&runtime, functions, 1)).expect("it links");
    runtime.replace(MODULE, version(&runtime, functions, 2)).expect("it links");
    runtime
}

/// Loads a function `name` that calls all of them through their slots, over and over.
pub fn load_caller(runtime: &Runtime, name: &str, functions: usize) {
    let mut text = String::new();
    for i in 0..functions {
        let _ = writeln!(text, "extern long f{i}(long);");
    }
    let _ = writeln!(text, "long {name}(long n) {{\n  long x = 0;\n  while (n-- > 0) {{");
    for i in 0..functions {
        let _ = writeln!(text, "    x = f{i}(x);");
    }
    text += "  }\n  return x;\n}\n";
    let object = compile(name, &text, &["-O2", "-fPIC", "-fno-plt"]);
    runtime.load(name, Source::object(object)).expect("it links");
}
