//! Any bytes as an object file, linked into an empty runtime and taken back.
#![no_main]

use hotslot::Source;
use hotslot_fuzz::{EMPTY, checked};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for rt in EMPTY.iter() {
        checked(rt, |update| _ = update.load("fuzzed", Source::object(data)));
    }
});
