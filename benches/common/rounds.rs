//! Interleaved rounds and their medians.
//!
//! Two things are compared by running them in turn (A B A B), so that whatever disturbs
//! the machine disturbs both, and by the median of each, which a few disturbed rounds do
//! not move.

/// The middle value; the mean of the two middle ones of an even number.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which `part` of the others lie.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() - 1) as f64 * part;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// The sum over the count.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Runs each contender once a round, in turn, and returns what each measured in every
/// round. The order turns from round to round, so that nobody always follows the same
/// neighbour. The first round warms up and is not kept.
pub fn interleave(rounds: usize, contenders: &mut [&mut dyn FnMut() -> f64]) -> Vec<Vec<f64>> {
    let count = contenders.len();
    let mut measured = vec![Vec::with_capacity(rounds); count];
    for round in 0..=rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let value = contenders[index]();
            if round > 0 {
                measured[index].push(value);
            }
        }
    }
    measured
}

/// The processor time of the calling thread in nanoseconds: of a measurement of
/// milliseconds it leaves out what other processes took from it.
pub fn thread_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
