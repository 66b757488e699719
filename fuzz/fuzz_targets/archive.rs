//! Any bytes as an archive: all members, and those that are needed.
#![no_main]

use hotslot::Source;
use hotslot_fuzz::{EMPTY, checked};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    // A member of IR or bitcode would fuzz LLVM's readers, which is not the aim here and
    // costs a process each.
    let bitcode = [&b"BC\xc0\xde"[..], &b"\xde\xc0\x17\x0b"[..]];
    if bitcode.iter().any(|magic| data.windows(magic.len()).any(|window| window == *magic)) {
        return Corpus::Reject;
    }
    let rt = &EMPTY[0];
    checked(rt, |update| _ = update.load("fuzzed", Source::archive(data)));
    checked(rt, |update| _ = update.load("fuzzed", Source::archive(data).on_demand()));
    Corpus::Keep
});
