//! What the native programs do, which everything else is compared with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::build;
use super::programs::{Case, Program};
use super::run::{self, Outcome};

/// What the native program does in each of its cases; built and run once a process.
pub fn expected(program: &Program) -> Arc<Vec<Outcome>> {
    type Cell = Arc<OnceLock<Arc<Vec<Outcome>>>>;
    static KNOWN: Mutex<Option<HashMap<&'static str, Cell>>> = Mutex::new(None);
    let cell = {
        let mut known = KNOWN.lock().unwrap();
        let known = known.get_or_insert_with(HashMap::new);
        Arc::clone(known.entry(program.name).or_default())
    };
    // Outside the lock: another program's tests need not wait.
    let make = || {
        let executable = build::reference(program);
        let run = |case: &Case| {
            let outcome = run::native(&executable, case);
            let broken = String::from_utf8_lossy(&outcome.stderr);
            let place = (program.name, case.name);
            assert_eq!(outcome.ends(), case.ends, "natively, {place:?}: {broken}");
            outcome
        };
        Arc::new(program.cases.iter().map(run).collect())
    };
    Arc::clone(cell.get_or_init(make))
}
