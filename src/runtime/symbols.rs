//! What a runtime knows by name, and what hosts build new modules from.
//!
//! Owns the list of symbols as hosts see them, and the text of declarations that a new module needs
//! to use what others define. Changes nothing.

use super::Runtime;
use super::state::{State, undefined};
use crate::error::{Error, ErrorKind, Result};
use crate::process;
use crate::table::{Owner, Provider, SymbolId, Target};

/// A name that modules may refer to, as [`Runtime::symbols`] lists it, and the definition that they
/// get.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Symbol {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// Whose definition is used.
    pub origin: Origin,
    /// The type of a function, as LLVM prints it: `double (double, ptr)`. Known of functions that came as
    /// IR or bitcode, and of those of the host by [`Runtime::define`]. Of those that came as objects
    /// with debug information it is known in part: `?` stands for what is not.
    pub signature: Option<String>,
    /// Bytes, as the object that defines it says; 0 where nobody does.
    pub size: u64,
}

/// What a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SymbolKind {
    /// A function.
    Function,
    /// A variable or constant.
    Variable,
    /// A variable that each thread has one of.
    ThreadLocal,
}

/// Whose definition of a symbol is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// A module's.
    Module {
        /// Its name.
        name: String,
        /// The generation that is live.
        generation: u64,
    },
    /// The host's: [`Runtime::define`], [`Runtime::define_function`], [`Runtime::define_data`].
    Host,
    /// hotslot's own, in place of one of the C library's.
    Builtin,
    /// A library's, or the program's that hotslot is part of.
    Library,
}

impl Runtime {
    /// Every symbol that something defines and that a module could refer to, sorted by name. Of
    /// libraries those are listed that somebody has asked for; see [`Self::symbol`] for the others.
    pub fn symbols(&self) -> Vec<Symbol> {
        let state = self.inner.state.lock();
        let shared = state.symbols.iter().filter(|(_, symbol)| !symbol.is_local());
        let mut all: Vec<Symbol> = shared.filter_map(|(id, _)| describe(&state, id)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// What modules get that refer to `name`; `None` if nothing defines it, in a library either.
    pub fn symbol(&self, name: &str) -> Option<Symbol> {
        let _loading = process::loading();
        let state = self.inner.state.lock();
        let known = state.find(name).ok().and_then(|id| describe(&state, id));
        known.or_else(|| Some(described(&state, name, &state.process_provider(name)?)))
    }

    /// Declarations of `names` as text of LLVM IR, one a line: what a new module needs to use them. A
    /// host parses it into a module of its own, or has its text begin with it.
    ///
    /// Variables are declared as bytes, of which the module needs only the address. What a C compiler
    /// says beside a type (`signext` and the like) is not known: who generates calls adds it.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`] for what nothing defines, [`ErrorKind::Signature`] for functions whose
    /// types are not known, as those of libraries. All that are so, see [`Error::problems`].
    pub fn declarations<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<String> {
        let (mut text, mut problems) = (String::new(), Vec::new());
        for name in names {
            let line =
                self.symbol(name).ok_or_else(|| undefined(name)).and_then(|symbol| declaration(&symbol));
            match line {
                Ok(line) => text.push_str(&line),
                Err(error) => problems.push(error),
            }
        }
        Error::all(problems).map_or(Ok(text), Err)
    }
}

fn describe(state: &State, id: SymbolId) -> Option<Symbol> {
    let symbol = state.symbols.get(id);
    Some(described(state, &symbol.name, symbol.winner()?))
}

fn described(state: &State, name: &str, winner: &Provider) -> Symbol {
    Symbol {
        name: name.to_owned(),
        kind: match winner.target {
            Target::Function(_) | Target::Process(_) => SymbolKind::Function,
            Target::Data(_) | Target::ProcessData(_) => SymbolKind::Variable,
            Target::ThreadLocal(_) => SymbolKind::ThreadLocal,
        },
        origin: match winner.owner {
            Owner::Module(id) => {
                let module = state.module(id).map(|module| (module.name.to_string(), module.current.number));
                let (name, generation) = module.unwrap_or_default();
                Origin::Module { name, generation }
            }
            Owner::Host => Origin::Host,
            Owner::Builtin => Origin::Builtin,
            Owner::Process => Origin::Library,
        },
        signature: state.signatures.text(winner.signature).map(str::to_owned),
        size: winner.size,
    }
}

fn declaration(symbol: &Symbol) -> Result<String> {
    let name = quoted(&symbol.name);
    let size = symbol.size;
    match symbol.kind {
        SymbolKind::Variable => Ok(format!("{name} = external global [{size} x i8]\n")),
        SymbolKind::ThreadLocal => Ok(format!("{name} = external thread_local global [{size} x i8]\n")),
        SymbolKind::Function => {
            // What is known of an object's functions may not be all of the type.
            let known = symbol.signature.as_deref().filter(|text| !text.contains('?'));
            let parts = known.and_then(|text| text.split_at_checked(parameters_of(text)?));
            match parts {
                Some((result, parameters)) => Ok(format!("declare {result}{name}{parameters}\n")),
                None => Err(Error::new(
                    ErrorKind::Signature,
                    format!("the type of the function {} is not known", symbol.name),
                )
                .about(&symbol.name)
                .hint("load it as IR, or define it by Runtime::define; otherwise declare it yourself")),
            }
        }
    }
}

/// Where the list of parameters begins in the text of a type: the bracket that the last one closes.
fn parameters_of(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.bytes().enumerate().rev().find_map(|(at, byte)| {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// A global name, as IR has it.
fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    let escaped = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("\\{byte:02X}") };
    format!("@\"{}\"", name.bytes().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_made_of_a_type() {
        let function = |name: &str, signature: &str| {
            let signature = Some(signature.to_owned());
            let (kind, origin) = (SymbolKind::Function, Origin::Host);
            declaration(&Symbol { name: name.to_owned(), kind, origin, signature, size: 0 })
        };
        assert_eq!(function("f", "double (double, ptr)").unwrap(), "declare double @\"f\"(double, ptr)\n");
        assert_eq!(
            function("op \"", "void (ptr sret({ i64, i64 }), ...)").unwrap(),
            "declare void @\"op\\20\\22\"(ptr sret({ i64, i64 }), ...)\n"
        );
        assert!(function("g", "? (ptr)").is_err());
    }
}
