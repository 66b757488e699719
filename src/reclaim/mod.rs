//! TEMPORARY
use std::ops::Range;
pub(crate) struct Caller;
impl Caller {
    pub(crate) fn here() -> Self {
        Caller
    }
}
pub(crate) struct Hit {
    pub range: usize,
    pub thread: i32,
    pub address: u64,
}
pub(crate) struct Silent {
    pub thread: i32,
    pub why: &'static str,
}
pub(crate) struct Findings {
    pub hits: Vec<Hit>,
    pub silent: Vec<Silent>,
    pub odd_stack: Option<i32>,
}
pub(crate) fn ask_threads(_r: &[Range<u64>], _c: &Caller) -> Findings {
    Findings { hits: Vec::new(), silent: vec![Silent { thread: 0, why: "x" }], odd_stack: None }
}
pub(crate) fn thread_name(_t: i32) -> Option<String> {
    None
}
