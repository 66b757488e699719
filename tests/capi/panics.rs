//! No panic gets to C.
//!
//! No function of the library panics on purpose, so what all of them go through is compiled here
//! once more, with errors of its own.

#![allow(unsafe_code)] // calls what takes places of C's

#[path = "../../src/capi/boundary.rs"]
#[allow(dead_code, clippy::missing_safety_doc, reason = "its own users are elsewhere")]
mod boundary;

/// What it makes of failures here.
mod error {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum HotslotCode {
        Ok = 0,
        Argument = 100,
        Panic = 101,
    }

    #[derive(Debug, PartialEq, Eq)]
    pub struct HotslotError(pub HotslotCode, pub String);

    impl HotslotError {
        pub fn code(&self) -> HotslotCode {
            self.0
        }

        pub fn of_argument(message: impl AsRef<str>) -> Box<Self> {
            Box::new(Self(HotslotCode::Argument, message.as_ref().to_owned()))
        }

        pub fn of_argument_with(message: impl AsRef<str>, _hint: &str) -> Box<Self> {
            Self::of_argument(message)
        }

        pub fn of_panic(message: &str) -> Box<Self> {
            Box::new(Self(HotslotCode::Panic, message.to_owned()))
        }
    }
}

use error::{HotslotCode, HotslotError};

/// What C gets of `body`.
fn result(body: impl FnOnce() -> boundary::Result<()>) -> (HotslotCode, Option<HotslotError>) {
    // Something that a call has to overwrite.
    let mut error = std::ptr::dangling_mut();
    // SAFETY: valid for a write.
    let code = unsafe { boundary::run(&mut error, body) };
    // SAFETY: null, or just made from a box.
    let error = (!error.is_null()).then(|| *unsafe { Box::from_raw(error) });
    (code, error)
}

#[test]
fn a_panic_is_an_error() {
    let said = |text: &str| {
        let error = HotslotError(HotslotCode::Panic, text.to_owned());
        (HotslotCode::Panic, Some(error))
    };
    assert_eq!(result(|| panic!("no number {}", 7)), said("no number 7"));
    assert_eq!(result(|| std::panic::panic_any(7)), said("a panic"));
    assert_eq!(result(|| Ok(())), (HotslotCode::Ok, None));
    // What is thrown may panic when it is dropped.
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    assert_eq!(result(|| std::panic::panic_any(Again)), said("a panic"));
    assert_eq!(boundary::run_or(3, || panic!("of what has no code")), 3);
    // Nobody has to ask for the error.
    // SAFETY: null.
    let code = unsafe { boundary::run(std::ptr::null_mut(), || panic!("unheard")) };
    assert_eq!(code, HotslotCode::Panic);
}

#[test]
fn strings_end_at_no_zero() {
    assert_eq!(boundary::c_string("a\0b").to_bytes(), "a\u{2400}b".as_bytes());
}
