//! `:ir`, `:asm`: what a definition is compiled to.

use crate::cli::repl::build;
use crate::cli::repl::front_end::Output;
use crate::cli::repl::session::{Failed, Flow, Session};
use crate::cli::repl::text;

/// LLVM IR.
pub fn ir(session: &mut Session, name: &str) -> Result<Flow, Failed> {
    print(session, name, Output::Ir)
}

/// Assembly.
pub fn asm(session: &mut Session, name: &str) -> Result<Flow, Failed> {
    print(session, name, Output::Assembly)
}

fn print(session: &mut Session, name: &str, output: Output) -> Result<Flow, Failed> {
    let Some(one) = session.document.symbol(name).filter(|one| one.module().is_some()).cloned() else {
        session.console.error(&format!("{name} is no function and no variable of the session"));
        return Err(Failed);
    };
    let cancel = session.new_cancel();
    let document = &session.document;
    let compile = |initialised| {
        build::compile_to(output, &session.clang, document, &one, &cancel, |before| {
            text::definition(document, &one, before, initialised)
        })
    };
    let made = compile(true).or_else(|_| compile(false)).map_err(|why| session.refuse(why))?;
    session.console.answer(&String::from_utf8_lossy(&made.bytes));
    Ok(Flow::On)
}
