//! The one public error type.
//!
//! Owns how a failure is described: its phase ([`ErrorKind`]), what went wrong, the
//! symbol, module and file concerned, and what to do about it. It deliberately knows
//! nothing of the phases themselves: each builds its own errors from these parts.

mod fault;

use std::fmt;

pub use fault::{Fault, Frame};

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The phase in which something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A source could not be read: a missing file, an unreadable archive.
    Read,
    /// A source was read but is not well formed.
    Parse,
    /// LLVM refused to verify, optimise or generate code for a module.
    Compile,
    /// An object could not be placed: a relocation, a section, a TLS model.
    Link,
    /// A name has no definition, or not one of the kind asked for.
    Resolve,
    /// A function exists, but not with the signature asked for.
    Signature,
    /// The update itself makes no sense: a module loaded twice, an unknown module.
    Update,
    /// A variable no longer fits the storage that it has.
    Storage,
    /// More replaced code is still held by threads than may be.
    Reclaim,
    /// The program came to no safe point in time ([`Hooks`](crate::Hooks)).
    SafePoint,
    /// The reservation is full, or the operating system refused memory.
    Memory,
    /// Generated code did something that the processor or the kernel refuses: see
    /// [`Error::fault`].
    Fault,
    /// A guarded call was ended from outside, or its time was over.
    Interrupted,
    /// A guarded call was ended where its code would have ended the process:
    /// [`Builder::contain_aborts`](crate::Builder::contain_aborts).
    Aborted,
    /// A guarded call was ended by a function of the host that it had called:
    /// [`Runtime::give_up`](crate::Runtime::give_up).
    GivenUp,
    /// The host lacks something hotslot needs (an architecture, a kernel feature).
    Host,
}

/// What failed, where, and what to do about it.
///
/// Opaque and cheap to move. [`Error::kind`] tells the phase; [`fmt::Display`] gives the
/// whole story in one line per problem.
pub struct Error(Box<Inner>);

#[derive(Default)]
struct Inner {
    kind: Option<ErrorKind>,
    message: String,
    module: Option<String>,
    file: Option<String>,
    symbol: Option<String>,
    culprits: Vec<String>,
    hint: Option<String>,
    fault: Option<Box<Fault>>,
    exit_code: Option<i32>,
    others: Vec<Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind: Some(kind), message: message.into(), ..Inner::default() }))
    }

    /// Names the module concerned, unless a more precise place has named it already.
    pub(crate) fn in_module(mut self, module: &str) -> Self {
        self.0.module.get_or_insert_with(|| module.to_owned());
        self
    }

    /// Names the file concerned, unless it is named already.
    pub(crate) fn in_file(mut self, file: Option<&str>) -> Self {
        if let Some(file) = file {
            self.0.file.get_or_insert_with(|| file.to_owned());
        }
        self
    }

    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = Some(kind);
        self
    }

    /// The same error, for somebody else.
    pub(crate) fn again(&self) -> Self {
        let Inner { kind, message, symbol, culprits, module, file, hint, fault, exit_code, others } =
            &*self.0;
        let (symbol, module, file, hint) = (symbol.clone(), module.clone(), file.clone(), hint.clone());
        let others = others.iter().map(Self::again).collect();
        let (kind, message, fault, culprits) = (*kind, message.clone(), fault.clone(), culprits.clone());
        let exit_code = *exit_code;
        Self(Box::new(Inner {
            kind,
            message,
            symbol,
            culprits,
            module,
            file,
            hint,
            fault,
            exit_code,
            others,
        }))
    }

    /// Says the same with other words.
    pub(crate) fn with_message(mut self, message: String) -> Self {
        self.0.message = message;
        self
    }

    pub(crate) fn about(mut self, symbol: &str) -> Self {
        self.0.symbol.get_or_insert_with(|| symbol.to_owned());
        self
    }

    /// Names the modules that bring the problem, where it is not about one alone.
    pub(crate) fn brought_by(mut self, modules: Vec<String>) -> Self {
        self.0.culprits = modules;
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.0.fault = Some(Box::new(fault));
        self
    }

    pub(crate) fn with_exit_code(mut self, status: i32) -> Self {
        self.0.exit_code = Some(status);
        self
    }

    /// Joins several problems of one update into one error; `None` when there are none.
    pub(crate) fn all(errors: Vec<Error>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.0.others.extend(errors);
        Some(first)
    }

    /// What went wrong, without the places and the advice.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The phase that failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind.unwrap_or(ErrorKind::Update)
    }

    /// The module concerned, if one is.
    pub fn module(&self) -> Option<&str> {
        self.0.module.as_deref()
    }

    /// The file concerned, if one is.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The symbol concerned, if one is.
    pub fn symbol(&self) -> Option<&str> {
        self.0.symbol.as_deref()
    }

    /// The modules of an update that bring this problem, as far as that is known: without them
    /// the update would not have it. [`Self::module`] unless there are several.
    pub fn culprits(&self) -> impl Iterator<Item = &str> {
        let own = self.module().filter(|_| self.0.culprits.is_empty());
        self.0.culprits.iter().map(String::as_str).chain(own)
    }

    /// What to do about it, if hotslot knows.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// What was being run, if generated code was ended by a fault or an interrupt.
    pub fn fault(&self) -> Option<&Fault> {
        self.0.fault.as_deref()
    }

    /// The status that generated code called `exit` with, if that has ended a guarded call.
    pub fn exit_code(&self) -> Option<i32> {
        self.0.exit_code
    }

    /// Every problem this error stands for, itself first: an update reports all it finds.
    pub fn problems(&self) -> impl Iterator<Item = &Error> {
        std::iter::once(self).chain(&self.0.others)
    }

    fn fmt_one(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.file, &self.0.module) {
            (Some(file), Some(module)) if file != module => write!(f, "{file} (module {module}): ")?,
            (Some(place), _) | (None, Some(place)) => write!(f, "{place}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.0.message)?;
        if let Some(symbol) = &self.0.symbol
            && !self.0.message.contains(symbol.as_str())
        {
            write!(f, " (symbol {symbol})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    /// One line per problem, each with its advice; with `{:#}` the first problem alone,
    /// without advice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.fmt_one(f);
        }
        for (i, problem) in self.problems().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt_one(f)?;
            if let Some(hint) = &problem.0.hint {
                write!(f, "; {hint}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_place_once() {
        let error = Error::new(ErrorKind::Link, "relocation out of range")
            .about("counter")
            .in_module("m")
            .in_module("ignored")
            .in_file(Some("m.o"))
            .hint("compile with -fPIC");
        assert_eq!(
            error.to_string(),
            "m.o (module m): relocation out of range (symbol counter); compile with -fPIC"
        );
        assert_eq!(error.kind(), ErrorKind::Link);
    }

    #[test]
    fn lists_all_problems() {
        let all =
            Error::all(vec![Error::new(ErrorKind::Resolve, "a"), Error::new(ErrorKind::Link, "b")]).unwrap();
        assert_eq!(all.to_string(), "a\nb");
        assert_eq!(all.problems().count(), 2);
        assert!(Error::all(vec![]).is_none());
    }

    #[test]
    fn is_send_and_sync() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
    }
}
