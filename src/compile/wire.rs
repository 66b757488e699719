//! The answer of a compiling child process, as bytes.
//!
//! Owns the format, which [`super::request`] shares: a tag, then fields with their length before them, then a last field
//! that an answer cut short does not have. The child has run LLVM on damaged input and is
//! not believed: whatever arrives decodes to a result or to nothing.

use std::time::Duration;

use super::layout::{Run, Scalar, push};
use super::{CompileTimes, Compiled, Interface, Types, VariableType};
use crate::error::{Error, ErrorKind, Result};

/// Fields to be sent.
#[derive(Default)]
pub(super) struct Out(Vec<u8>);

impl Out {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number_alone(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn number_alone(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// How many there are, then each.
    fn list<T>(&mut self, list: &[T], mut one: impl FnMut(&mut Self, &T)) {
        self.number(list.len() as u64);
        list.iter().for_each(|item| one(self, item));
    }

    /// The fields, and the one that tells that nothing is missing.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes(b"end");
        self.0
    }

    fn pair(&mut self, (name, kind): &(String, String)) {
        self.bytes(name.as_bytes());
        self.bytes(kind.as_bytes());
    }

    fn interface(&mut self, interface: &Interface) {
        self.number(match interface.checked {
            Types::Unknown => 0,
            Types::Ir => 1,
            Types::DebugInfo => 2,
        });
        self.number(u64::from(interface.labels_stay));
        self.list(&interface.label_tables, |out, name| out.bytes(name.as_bytes()));
        self.list(&interface.defined, Self::pair);
        self.list(&interface.declared, Self::pair);
        self.list(&interface.initialisers, |out, (name, variables)| {
            out.bytes(name.as_bytes());
            out.list(variables, |out, variable| out.bytes(variable.as_bytes()));
        });
        self.list(&interface.variables, |out, (name, kind)| {
            out.bytes(name.as_bytes());
            out.bytes(kind.text.as_bytes());
            out.number(kind.size);
            out.number(kind.members);
            out.number(u64::from(kind.runs.is_some()));
            let mut runs = Out::default();
            for run in kind.runs.iter().flatten() {
                let (kind, hash) = match run.kind {
                    Scalar::Any => (0, 0),
                    Scalar::Integer => (1, 0),
                    Scalar::Float => (2, 0),
                    Scalar::Pointer => (3, 0),
                    Scalar::Pattern(hash) => (4, hash),
                };
                [kind, hash, run.at, run.unit, run.count].iter().for_each(|&n| runs.number_alone(n));
            }
            out.bytes(&runs.0);
        });
    }
}

pub(super) fn encode(result: Result<&Compiled, &Error>) -> Vec<u8> {
    let mut out = Out::default();
    match result {
        Ok(compiled) => {
            out.bytes(b"ok");
            out.bytes(&compiled.object);
            let CompileTimes { parse, optimise, codegen } = compiled.times;
            for time in [parse, optimise, codegen] {
                out.number(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            }
            out.number(u64::from(compiled.lasting));
            out.interface(&compiled.interface);
        }
        Err(error) => {
            out.bytes(match error.kind() {
                ErrorKind::Parse => b"parse",
                ErrorKind::Host => b"host",
                _ => b"compile",
            });
            out.bytes(error.message().as_bytes());
            out.bytes(error.advice().unwrap_or_default().as_bytes());
        }
    }
    out.finish()
}

/// Fields that arrived.
pub(super) struct Fields<'b>(std::vec::IntoIter<&'b [u8]>);

impl<'b> Fields<'b> {
    pub(super) fn split(mut bytes: &'b [u8]) -> Option<Self> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (field, rest) = rest.split_at_checked(length)?;
            fields.push(field);
            bytes = rest;
        }
        (fields.pop()? == b"end").then(|| Self(fields.into_iter()))
    }

    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        self.0.next()
    }

    pub(super) fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes()?.try_into().ok()?))
    }

    fn time(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_nanos)
    }

    /// Nothing is set aside for the number that is claimed: every item takes a field.
    pub(super) fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(one(self)?);
        }
        Some(list)
    }

    fn pair(&mut self) -> Option<(String, String)> {
        Some((self.text()?, self.text()?))
    }

    fn interface(&mut self) -> Option<Interface> {
        let checked = match self.number()? {
            0 => Types::Unknown,
            1 => Types::Ir,
            2 => Types::DebugInfo,
            _ => return None,
        };
        let mut interface = Interface {
            checked,
            labels_stay: self.number()? == 1,
            label_tables: self.list(Self::text)?,
            defined: self.list(Self::pair)?,
            declared: self.list(Self::pair)?,
            initialisers: self.list(|fields| Some((fields.text()?, fields.list(Self::text)?)))?,
            variables: self.list(|fields| Some((fields.text()?, fields.variable()?)))?,
        };
        interface.sort();
        Some(interface)
    }

    fn variable(&mut self) -> Option<VariableType> {
        let (text, size, members) = (self.text()?, self.number()?, self.number()?);
        let known = self.number()? == 1;
        let (words, rest) = self.bytes()?.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let mut runs = Vec::new();
        for run in words.chunks(5) {
            let &[kind, hash, at, unit, count] = run else { return None };
            let kind = match kind {
                0 => Scalar::Any,
                1 => Scalar::Integer,
                2 => Scalar::Float,
                3 => Scalar::Pointer,
                4 => Scalar::Pattern(hash),
                _ => return None,
            };
            push(&mut runs, Run { kind, at, unit, count });
        }
        Some(VariableType { runs: known.then_some(runs), size, members, text })
    }
}

pub(super) fn decode(bytes: &[u8]) -> Option<Result<Compiled>> {
    let mut fields = Fields::split(bytes)?;
    let kind = match fields.bytes()? {
        b"ok" => {
            let object = fields.bytes()?.to_vec();
            let times =
                CompileTimes { parse: fields.time()?, optimise: fields.time()?, codegen: fields.time()? };
            let lasting = fields.number()? == 1;
            let compiled = Compiled { object, interface: fields.interface()?, lasting, times };
            return fields.bytes().is_none().then_some(Ok(compiled));
        }
        b"parse" => ErrorKind::Parse,
        b"host" => ErrorKind::Host,
        b"compile" => ErrorKind::Compile,
        _ => return None,
    };
    let (message, hint) = (fields.text()?, fields.text()?);
    let error = Error::new(kind, message);
    let error = if hint.is_empty() { error } else { error.hint(hint) };
    fields.bytes().is_none().then_some(Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface() -> Interface {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let run = |kind, at| Run { kind, at, unit: 4, count: 2 };
        let runs = vec![run(Scalar::Integer, 0), run(Scalar::Any, 8), run(Scalar::Pattern(77), 16)];
        let known = VariableType { runs: Some(runs), size: 24, members: 5, text: "struct s".into() };
        Interface {
            checked: Types::Ir,
            defined: vec![pair("f", "i64 (i64)"), pair("g", "void ()")],
            declared: vec![pair("h", "i32 (?...)")],
            variables: vec![("a".into(), VariableType::default()), ("b".into(), known)],
            initialisers: vec![("init".into(), vec!["b".into(), "a".into()]), ("ctor".into(), vec![])],
            labels_stay: true,
            label_tables: vec!["b".into()],
        }
    }

    fn answers() -> [Vec<u8>; 2] {
        let compiled = Compiled {
            object: b"object".to_vec(),
            interface: interface(),
            lasting: true,
            times: CompileTimes { parse: Duration::from_micros(3), ..CompileTimes::default() },
        };
        let error = Error::new(ErrorKind::Compile, "no").hint("do");
        [encode(Ok(&compiled)), encode(Err(&error))]
    }

    #[test]
    fn comes_back_as_it_went() {
        let [compiled, error] = answers();
        let compiled = decode(&compiled).unwrap().unwrap();
        assert_eq!(compiled.object, b"object");
        assert_eq!(compiled.interface, interface());
        assert!(compiled.lasting);
        assert_eq!(compiled.interface.type_of("f"), Some("i64 (i64)"));
        assert_eq!(compiled.interface.declared_type_of("f"), None);
        assert_eq!(compiled.times.parse, Duration::from_micros(3));
        let error = decode(&error).unwrap().err().unwrap();
        assert_eq!((error.kind(), error.message(), error.advice()), (ErrorKind::Compile, "no", Some("do")));
    }

    #[test]
    fn an_answer_cut_short_is_none() {
        let end = encode(Err(&Error::new(ErrorKind::Host, ""))).split_off(8 + 4 + 8 + 8);
        for answer in answers() {
            for end in 0..answer.len() {
                assert!(decode(&answer[..end]).is_none());
            }
        }
        // Fields left out, and closed all the same.
        let answer = &answers()[0];
        let mut at = 0;
        while at < answer.len() - end.len() {
            let short = [&answer[..at], &end].concat();
            assert!(decode(&short).is_none(), "{at}");
            at += 8 + u64::from_le_bytes(answer[at..at + 8].try_into().unwrap()) as usize;
        }
        assert!(decode(&u64::MAX.to_le_bytes()).is_none());
    }

    proptest::proptest! {
        #[test]
        fn damage_is_a_result_or_nothing(
            damage in proptest::collection::vec((proptest::num::usize::ANY, proptest::num::u8::ANY), 1..6),
        ) {
            for mut answer in answers() {
                for &(at, byte) in &damage {
                    let at = at % answer.len();
                    answer[at] = byte;
                }
                if let Some(Ok(compiled)) = decode(&answer) {
                    for (name, kind) in &compiled.interface.variables {
                        let _ = (compiled.interface.variable(name), kind.fits(kind), kind.fingerprint());
                    }
                }
            }
        }
    }
}
