//! A child process that compiles one slice after the other.
//!
//! A child of its own costs a slice as much again: the fork, and LLVM's beginning in it. So a
//! thread that has many to compile keeps one. It takes slices only, which hotslot has read and
//! understood itself. Owns when the child is started anew: after every error and after
//! whatever ended it, in which case a slice that was not its first gets another chance, because
//! what came before may have done the harm. What a child may do is [`super::isolate`]'s.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;

use super::child::Child;
use super::emit::{self, Goal};
use super::isolate::{self, Heard};
use super::part::Roles;
use super::request::{self, Request};
use super::{CompileOptions, Compiled, Source};
use crate::error::Result;

struct Lasting {
    child: Child,
    pipe: File,
    /// How many slices it has compiled.
    compiled: u32,
}

/// Whether this thread keeps a child, and the child.
#[derive(Default)]
struct Kept {
    wanted: bool,
    child: Option<Lasting>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// Has all slices that this thread compiles in `work` compiled by one child, which has ended
/// when this returns. It is started when it is needed.
pub(crate) fn one_child<T>(work: impl FnOnce() -> T) -> T {
    struct End(bool);
    impl Drop for End {
        fn drop(&mut self) {
            let ended = KEPT.with_borrow_mut(|kept| {
                kept.wanted = self.0;
                kept.child.take_if(|_| !self.0)
            });
            drop(ended);
        }
    }
    let _end = End(KEPT.with_borrow_mut(|kept| std::mem::replace(&mut kept.wanted, true)));
    work()
}

/// Whether the caller is in [`one_child`].
pub(super) fn is_wanted() -> bool {
    KEPT.with_borrow(|kept| kept.wanted)
}

/// Compiles the slice `source` in this thread's child.
pub(super) fn compile(source: &Source, options: &CompileOptions, roles: &Roles) -> Result<Compiled> {
    let patience = isolate::patience(source);
    let request = request::encode(source.bytes(), options, roles);
    loop {
        let kept = KEPT.with_borrow_mut(|kept| kept.child.take());
        let mut child = kept.map_or_else(Lasting::start, Ok)?;
        let mut heard = Heard::default();
        let sent = child.send(&request);
        let late = sent && !heard.listen(&mut child.pipe, patience);
        let result = heard.result();
        let is_first = child.compiled == 0;
        match result {
            Some(Ok(compiled)) => {
                child.compiled += 1;
                KEPT.with_borrow_mut(|kept| kept.child = Some(child));
                return Ok(compiled);
            }
            Some(Err(error)) => return Err(error),
            None if !is_first => {}
            None => {
                let status = if late { child.child.kill() } else { child.child.wait() };
                return Err(isolate::lost(&heard, late, patience, status));
            }
        }
    }
}

impl Lasting {
    fn start() -> Result<Self> {
        let (child, pipe) = isolate::fork(&live)?;
        Ok(Self { child, pipe, compiled: 0 })
    }

    /// Whether all of it could be sent. No signal says that nobody reads.
    fn send(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            // SAFETY: an open socket, and bytes that are there.
            let sent = unsafe {
                let (start, length) = (bytes.as_ptr().cast(), bytes.len());
                libc::send(self.pipe.as_raw_fd(), start, length, libc::MSG_NOSIGNAL)
            };
            match usize::try_from(sent) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.child.kill();
    }
}

/// In the child.
fn live() {
    let mut pipe = isolate::own_pipe();
    while let Some(Request { bitcode, options, roles }) = receive(&mut pipe) {
        let source = Source::bitcode(bitcode);
        let work = |progress: &dyn Fn(emit::Progress)| {
            emit::compile(&source, &options, Goal::Part(&roles), progress)
        };
        isolate::reply(&isolate::attempt(&work));
    }
}

fn receive(pipe: &mut File) -> Option<Request> {
    let mut length = [0; 8];
    pipe.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(length)).ok()?];
    pipe.read_exact(&mut bytes).ok()?;
    request::decode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{CallForm, OptLevel};
    use crate::error::ErrorKind;

    fn bitcode(text: &str) -> Source {
        let options = CompileOptions::default();
        let compiled = crate::compile::to_bitcode(&Source::ir(text), &options).unwrap();
        Source::bitcode(compiled.object)
    }

    fn number() -> Option<libc::pid_t> {
        KEPT.with_borrow(|kept| kept.child.as_ref().map(|kept| kept.child.number()))
    }

    #[test]
    fn one_child_compiles_many_and_another_what_comes_after_its_end() {
        let good = bitcode("define i32 @f() { ret i32 1 }");
        let bad = bitcode("define i32 @bad() { %x = call i32 asm \"no such\", \"=r\"() ret i32 %x }");
        let roles = Roles::default();
        let options = |level, call_form| CompileOptions { level, call_form, ..CompileOptions::default() };
        assert!(!is_wanted());
        let last = one_child(|| {
            let compiled = compile(&good, &options(OptLevel::O0, CallForm::Slot), &roles).unwrap();
            assert_eq!(compiled.interface.type_of("f"), Some("i32 ()"));
            let first = number().unwrap();
            for level in [OptLevel::O2, OptLevel::O0] {
                compile(&good, &options(level, CallForm::Stub), &roles).unwrap();
                assert_eq!(number(), Some(first));
            }
            // An error ends it.
            let error = compile(&bad, &CompileOptions::default(), &roles).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Compile, "{error}");
            assert_eq!(number(), None);
            one_child(|| compile(&good, &CompileOptions::default(), &roles).unwrap());
            // So does somebody else; nobody gets to know.
            let second = number().unwrap();
            // SAFETY: a child of this thread, which waits for a request.
            unsafe { libc::kill(second, libc::SIGKILL) };
            compile(&good, &CompileOptions::default(), &roles).unwrap();
            assert_ne!(number(), Some(second));
            number().unwrap()
        });
        assert!(!is_wanted() && number().is_none());
        // SAFETY: asks whether there is such a process, which was waited for.
        assert_eq!(unsafe { libc::kill(last, 0) }, -1);
    }

    #[test]
    fn what_damage_does_to_a_child_does_nothing_to_those_after_it() {
        let good = bitcode(
            "@list = global [2 x ptr] [ptr @list, ptr null]
             define i32 @f(i32 %n) { %m = mul i32 %n, 3 %g = call i32 @g(i32 %m) ret i32 %g }
             declare i32 @g(i32)",
        );
        let (options, roles) = (CompileOptions::default(), Roles::default());
        let expected = compile_alone(&good, &options, &roles);
        let mut random = fastrand::Rng::with_seed(7);
        let (mut refused, mut ended) = (0, 0);
        one_child(|| {
            for _ in 0..150 {
                let mut bytes = good.bytes().to_vec();
                for _ in 0..random.usize(1..5) {
                    let bit = random.usize(..bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
                refused += u32::from(compile(&Source::bitcode(bytes), &options, &roles).is_err());
                ended += u32::from(number().is_none());
                assert!(compile(&good, &options, &roles).unwrap().object == expected);
            }
        });
        assert!(refused > 30 && ended >= refused, "{refused} refused, {ended} children ended");
    }

    fn compile_alone(source: &Source, options: &CompileOptions, roles: &Roles) -> Vec<u8> {
        isolate::in_child(source, options, Goal::Part(roles)).unwrap().object
    }
}
