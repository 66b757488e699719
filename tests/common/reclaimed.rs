//! Freeing what is retired, for tests that say exactly what is left of it.

use std::time::{Duration, Instant};

use hotslot::Runtime;

/// Frees what is retired until `enough` is left, for a minute at most; says whether it is.
///
/// Once is not always enough: on a busy machine a thread may answer late, and another test may
/// just be starting a compiler, in a way that nobody can look into. Then everything is kept.
pub fn reclaimed(rt: &Runtime, enough: impl Fn(&Runtime) -> bool) -> bool {
    let late = Instant::now() + Duration::from_secs(60);
    loop {
        rt.reclaim();
        if enough(rt) || Instant::now() > late {
            return enough(rt);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The same until nothing is retired.
#[allow(dead_code)] // some tests know what is left
pub fn all_reclaimed(rt: &Runtime) -> bool {
    reclaimed(rt, |rt| rt.pending().is_empty())
}
