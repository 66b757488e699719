//! The answer of a compiling child process, as bytes.
//!
//! Owns the format: a tag, then fields with their length before them, then a last field
//! that an answer cut short does not have. The child has run LLVM on damaged input and is
//! not believed: whatever arrives decodes to a result or to nothing.

use std::time::Duration;

use super::{CompileTimes, Compiled, Interface};
use crate::error::{Error, ErrorKind, Result};

pub(super) fn encode(result: &Result<Compiled>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut field = |bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match result {
        Ok(compiled) => {
            field(b"ok");
            field(&compiled.object);
            let CompileTimes { parse, optimise, codegen } = compiled.times;
            for time in [parse, optimise, codegen] {
                let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                field(&nanoseconds.to_le_bytes());
            }
            for (name, kind) in &compiled.interface.functions {
                field(name.as_bytes());
                field(kind.as_bytes());
            }
        }
        Err(error) => {
            field(match error.kind() {
                ErrorKind::Parse => b"parse",
                ErrorKind::Host => b"host",
                _ => b"compile",
            });
            field(error.message().as_bytes());
            field(error.advice().unwrap_or_default().as_bytes());
        }
    }
    field(b"end");
    out
}

pub(super) fn decode(mut bytes: &[u8]) -> Option<Result<Compiled>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        fields.push(field);
        bytes = rest;
    }
    if fields.pop()? != b"end" {
        return None;
    }
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    match fields.as_slice() {
        [b"ok", object, parse, optimise, codegen, functions @ ..] => {
            let time = |field: &[u8]| Some(Duration::from_nanos(u64::from_le_bytes(field.try_into().ok()?)));
            let times =
                CompileTimes { parse: time(parse)?, optimise: time(optimise)?, codegen: time(codegen)? };
            let functions = functions.chunks_exact(2).map(|pair| (text(pair[0]), text(pair[1])));
            let interface = Interface::new(functions.collect());
            Some(Ok(Compiled { object: object.to_vec(), interface, times }))
        }
        [tag, message, hint] => {
            let kind = match *tag {
                b"parse" => ErrorKind::Parse,
                b"host" => ErrorKind::Host,
                b"compile" => ErrorKind::Compile,
                _ => return None,
            };
            let error = Error::new(kind, text(message));
            Some(Err(if hint.is_empty() { error } else { error.hint(text(hint)) }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> [Vec<u8>; 2] {
        let compiled = Compiled {
            object: b"object".to_vec(),
            interface: Interface::new(vec![("f".into(), "i64 (i64)".into())]),
            times: CompileTimes { parse: Duration::from_micros(3), ..CompileTimes::default() },
        };
        let error = Error::new(ErrorKind::Compile, "no").hint("do");
        [encode(&Ok(compiled)), encode(&Err(error))]
    }

    #[test]
    fn comes_back_as_it_went() {
        let [compiled, error] = answers();
        let compiled = decode(&compiled).unwrap().unwrap();
        assert_eq!(compiled.object, b"object");
        assert_eq!(compiled.interface.type_of("f"), Some("i64 (i64)"));
        assert_eq!(compiled.times.parse, Duration::from_micros(3));
        let error = decode(&error).unwrap().err().unwrap();
        assert_eq!((error.kind(), error.message(), error.advice()), (ErrorKind::Compile, "no", Some("do")));
    }

    #[test]
    fn an_answer_cut_short_is_none() {
        for answer in answers() {
            for end in 0..answer.len() {
                assert!(decode(&answer[..end]).is_none());
            }
        }
        assert!(decode(&u64::MAX.to_le_bytes()).is_none());
    }
}
