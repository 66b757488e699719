//! How much memory this process has.

/// RSS and PSS of this process in KiB. Resident memory (RSS) counts a page once for each
/// place it is mapped at, and hotslot maps code twice; proportional memory (PSS) counts it
/// once in all.
pub fn resident() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
    };
    (field("Rss:"), field("Pss:"))
}
