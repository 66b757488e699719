//! A session of the example's language, without its prompt.

use hotslot::{Function, Runtime, Source};
use inkwell::context::Context;

use crate::emit;
use crate::syntax::{self, Expr, Item, Operators, Prototype};

pub type Number = extern "C" fn(f64) -> f64;

/// The `n`-th definition of a session. It calls one of those before it.
pub fn definition(n: usize) -> String {
    let before = if n == 0 { "x".to_owned() } else { format!("f{}(x - 1)", n / 2) };
    format!(
        "def f{n}(x) if x < {n} then x * 2 + {n} else var s = 0 in (for i = 0, i < 3 in s = s + i) + {before}"
    )
}

/// What text says: one definition or expression.
pub fn item(text: &str) -> Item {
    let mut operators = Operators::from(syntax::OPERATORS);
    match syntax::parse(text, &mut operators) {
        Ok(mut items) if items.len() == 1 => items.remove(0),
        _ => panic!("{text} is one item"),
    }
}

/// Emits a function in a module of its own; all functions have one parameter.
pub fn source(prototype: &Prototype, body: &Expr) -> Source {
    let context = Context::create();
    let module = emit::module(&context, prototype, body, &|_| Some(1)).expect("it is well formed");
    Source::module(&module)
}

/// Defines the function and makes a handle to it.
pub fn define(runtime: &Runtime, text: &str) -> Function<Number> {
    let Item::Definition(prototype, body) = item(text) else { panic!("{text} is a definition") };
    runtime.load(&prototype.name, source(&prototype, &body)).expect("it loads");
    // SAFETY: every function of the language has this type here, and its code is sound.
    unsafe { runtime.function(&prototype.name) }.expect("it was just defined")
}

/// Runs an expression once.
pub fn evaluate(runtime: &Runtime, text: &str) -> hotslot::Result<f64> {
    let Item::Expression(body) = item(text) else { panic!("{text} is an expression") };
    let prototype = Prototype { name: "expression".to_owned(), parameters: Vec::new() };
    let module = runtime.anonymous(source(&prototype, &body))?;
    // SAFETY: it has this type; what it does wrong the guard is for.
    let function = unsafe { module.function::<extern "C" fn() -> f64>("expression") }?;
    function.try_call()
}
