//! Tests of the runtime that look at its records: [`snapshot`] is all of them as text.

mod faults;
mod snapshot;
