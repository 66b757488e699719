//! Two damaged objects in one update, beside modules that are loaded: replaced, removed,
//! referred to from both sides.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use hotslot::{CallForm, Runtime, Source};
use hotslot_fuzz::edit::{Damaged, seeds};
use hotslot_fuzz::{build, checked};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    first: Damaged,
    second: Damaged,
    /// Load the first beside the loaded modules, and not in place of one.
    load: bool,
    /// Which module is replaced or removed.
    place: u8,
    remove: bool,
    strict: bool,
}

fn name(index: usize) -> String {
    format!("seed{}", index % seeds().len())
}

/// Every seed loaded, undamaged.
static LOADED: LazyLock<Runtime> = LazyLock::new(|| {
    let rt = build(CallForm::Slot).expect("no runtime");
    for (index, seed) in seeds().iter().enumerate() {
        rt.load(name(index), Source::object(*seed)).expect("the seeds are valid");
    }
    rt
});

fuzz_target!(|input: Input| {
    let (first, second) = (input.first.bytes(), input.second.bytes());
    let place = usize::from(input.place);
    checked(&LOADED, |update| {
        match input.load {
            true => update.load("first", Source::object(&*first)),
            // The same source damaged: its variables may keep their storage.
            false => update.replace(name(input.first.seed.into()), Source::object(&*first)),
        };
        if input.remove {
            update.remove(name(place)).load("second", Source::object(&*second));
        } else {
            update.replace(name(place), Source::object(&*second));
        }
        if input.strict {
            update.strict();
        }
    });
});
