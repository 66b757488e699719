//! Functions that only their own module knows, in objects: the convention between compiler
//! and linker.
//!
//! The compile stage makes symbols of a module's static functions, so that each can be replaced
//! alone. They go by a name with a prefix, which the linker takes off again: what it enters in
//! the table is the plain name, scoped to the module. Nobody else sees the prefix. Owns the
//! prefix, and which static functions have to stay what they are.

/// No program has names like this: it is no identifier of C, and no mangled one.
pub(crate) const PREFIX: &str = "hotslot.local.";

/// The function's own name, if `symbol` is one that only its module knows.
pub(crate) fn plain(symbol: &str) -> Option<&str> {
    symbol.strip_prefix(PREFIX).filter(|name| !name.is_empty())
}

/// Whether a static function of this name is the body of a parallel region or task of OpenMP. It
/// gets a record that its own generation laid out, and so must not be another generation's.
pub(crate) fn is_parallel_part(name: &str) -> bool {
    ["_omp_fn.", "_omp_cpyfn.", "omp_outlined", "omp_task_"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_taken_off_where_a_name_is_left() {
        assert_eq!(plain("hotslot.local.f"), Some("f"));
        assert_eq!(plain("hotslot.local.f.resume"), Some("f.resume"));
        for other in ["f", "hotslot.local.", "hotslot", "xhotslot.local.f"] {
            assert_eq!(plain(other), None);
        }
    }
}
