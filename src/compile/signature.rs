//! Function types as text, and whether two of them agree.
//!
//! Owns the vocabulary: LLVM's own, `i64 (ptr, ...)`, and three words more. `?` stands for
//! any number of parameters, or for any result, of which debug information says too little.
//! `?...` at the end stands for whatever else is passed by a call that saw no prototype.
//! `ptr byval(T)` and `ptr sret(T)` name what is passed by copy, with its members and not
//! its name. Deliberately does not know where a text came from.

/// More parameters than this are compared as text.
const MOST_PARAMETERS: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Closed,
    /// `...`
    Variadic,
    /// `?...`
    Open,
}

struct Parts<'t> {
    result: &'t str,
    parameters: Vec<&'t str>,
    tail: Tail,
}

/// Whether a function of type `defined` can be called by code that took it for `declared`.
///
/// Wildcards fit anything in their place. `bool` is `i1` or `i8`, as compilers differ.
pub(crate) fn compatible(defined: &str, declared: &str) -> bool {
    let (Some(mut own), Some(mut other)) = (parse(defined), parse(declared)) else {
        return defined == declared;
    };
    if own.parameters.len().max(other.parameters.len()) > MOST_PARAMETERS {
        return defined == declared;
    }
    // What one source calls a result of some kind the other may return through a pointer.
    for (a, b) in [(true, false), (false, true)] {
        let (unsure, sure) = if a && !b { (&own, &mut other) } else { (&other, &mut own) };
        if unsure.result == "?" && sure.parameters.first().is_some_and(|p| p.starts_with("ptr sret(")) {
            sure.parameters.remove(0);
        }
    }
    if !same(own.result, other.result) {
        return false;
    }
    match (own.tail, other.tail) {
        (Tail::Variadic, Tail::Open) => {
            other.parameters.push("?");
            own.parameters.push("?");
        }
        (Tail::Variadic, Tail::Variadic) | (Tail::Closed | Tail::Open, Tail::Closed | Tail::Open) => {}
        _ => return false,
    }
    parameters_fit(&own.parameters, &other.parameters)
}

/// Whether a host may call a function of type `defined` as `wanted`. Where the result goes
/// through a pointer, a host on x86-64 passes that as it passes any pointer.
pub(crate) fn callable_as(defined: &str, wanted: &str) -> bool {
    let plain = match defined.find("ptr sret(") {
        Some(at) if cfg!(target_arch = "x86_64") => {
            let from = at + "ptr".len();
            let end = closing(&defined[from..]).map_or(from, |end| from + end + 1);
            format!("{}{}", &defined[..from], &defined[end..])
        }
        _ => defined.to_owned(),
    };
    compatible(&plain, wanted)
}

fn same(one: &str, other: &str) -> bool {
    let is_bool = |word: &str| matches!(word, "i1" | "i8");
    one == other || one == "?" || other == "?" || is_bool(one) && is_bool(other)
}

/// Matches two lists of which either may have wildcards for runs of the other.
fn parameters_fit(own: &[&str], other: &[&str]) -> bool {
    // `fits[j]`: whether what follows in `own` fits `other[j..]`.
    let row = other.len() + 1;
    let mut fits: Vec<bool> = (0..row).map(|j| other[j..].iter().all(|p| *p == "?")).collect();
    for parameter in own.iter().rev() {
        let mut now = vec![false; row];
        for j in (0..row).rev() {
            let next = other.get(j);
            now[j] = match next {
                _ if *parameter == "?" && (fits[j] || j + 1 < row && now[j + 1]) => true,
                Some(&"?") => now[j + 1] || fits[j],
                Some(next) => *parameter != "?" && same(parameter, next) && fits[j + 1],
                None => false,
            };
        }
        fits = now;
    }
    fits[0]
}

/// Takes `result (parameter, …)` apart.
fn parse(text: &str) -> Option<Parts<'_>> {
    let inside = text.strip_suffix(')')?;
    // The bracket that the last one closes: results may have brackets too.
    let mut depth = 1;
    let open = inside.bytes().enumerate().rev().find_map(|(at, byte)| {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    let result = inside[..open].trim();
    let mut parameters = Vec::new();
    let mut depth = 0;
    let mut from = open + 1;
    for (at, byte) in inside.bytes().enumerate().skip(open + 1) {
        match byte {
            b'(' | b'{' | b'[' | b'<' => depth += 1,
            b')' | b'}' | b']' | b'>' => depth -= 1,
            b',' if depth == 0 => {
                parameters.push(inside[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    let last = inside[from..].trim();
    if !last.is_empty() {
        parameters.push(last);
    }
    let tail = match parameters.last() {
        Some(&"...") => Tail::Variadic,
        Some(&"?...") => Tail::Open,
        _ => Tail::Closed,
    };
    if tail != Tail::Closed {
        parameters.pop();
    }
    (!result.is_empty()).then_some(Parts { result, parameters, tail })
}

/// Where the bracket closes that `text` begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.bytes().enumerate().find_map(|(at, byte)| {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        (depth == 0 && byte == b')').then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_types_fit_and_others_do_not() {
        for (one, other, fits) in [
            ("i64 (i64, ptr)", "i64 (i64, ptr)", true),
            ("i64 (i64, ptr)", "i64 (i64, i64)", false),
            ("i64 (i64)", "i64 (i64, i64)", false),
            ("void ()", "i32 ()", false),
            ("i1 (i8)", "i8 (i1)", true),
            ("i16 ()", "i8 ()", false),
            ("void (ptr byval({ i32, i32 }))", "void (ptr byval({ i32, i64 }))", false),
            ("void (ptr byval({ i32, i32 }))", "void (ptr)", false),
            ("{ i64, ptr } (<4 x float>, [2 x i8])", "{ i64, ptr } (<4 x float>, [2 x i8])", true),
            ("nonsense", "nonsense", true),
            ("nonsense", "void ()", false),
        ] {
            assert_eq!(compatible(one, other), fits, "{one} / {other}");
            assert_eq!(compatible(other, one), fits, "{other} / {one}");
        }
    }

    #[test]
    fn wildcards_fit_any_number_of_parameters() {
        for (one, other, fits) in [
            ("void (i32, ?, ptr)", "void (i32, ptr)", true),
            ("void (i32, ?, ptr)", "void (i32, i64, i64, ptr)", true),
            ("void (i32, ?, ptr)", "void (i32, i64)", false),
            ("void (?)", "void ()", true),
            ("void (?, i32)", "void (i64, ?)", true),
            ("void (?, i32)", "void (i64, ?, i16)", false),
            ("? (i32)", "void (ptr sret({ i64, i64, i64 }), i32)", true),
            ("? (i32)", "{ i64, i64 } (i32)", true),
            ("? (i32)", "{ i64, i64 } (i64)", false),
        ] {
            assert_eq!(compatible(one, other), fits, "{one} / {other}");
            assert_eq!(compatible(other, one), fits, "{other} / {one}");
        }
    }

    #[test]
    fn variadic_functions_and_calls_without_prototype() {
        for (defined, declared, fits) in [
            ("i32 (ptr, ...)", "i32 (ptr, ...)", true),
            ("i32 (ptr, ...)", "i32 (ptr, i32)", false),
            ("i32 (ptr)", "i32 (ptr, ...)", false),
            ("i32 (ptr, ...)", "i32 (ptr, i32, ?...)", true),
            ("i32 (ptr, ...)", "i32 (i32, i32, ?...)", false),
            ("i32 (i32)", "i32 (i32, ?...)", true),
            ("i32 (i64)", "i32 (i32, ?...)", false),
            ("i32 (i32, i32)", "i32 (i32, ?...)", false),
            ("i32 ()", "i32 (?...)", true),
        ] {
            assert_eq!(compatible(defined, declared), fits, "{defined} / {declared}");
        }
    }

    #[test]
    fn hosts_pass_the_place_of_a_result_as_a_pointer() {
        assert_eq!(
            callable_as("void (ptr sret({ i32, { i64 } }), i32)", "void (ptr, i32)"),
            cfg!(target_arch = "x86_64")
        );
        assert!(!callable_as("void (ptr byval({ i32 }))", "void (ptr)"));
        assert!(callable_as("i64 (i64)", "i64 (i64)") && !callable_as("i64 (i64)", "i64 ()"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_compared_without_panic(one in ".{0,40}", other in "[ ?.,(){}i1-9ptr]{0,40}") {
            let _ = (compatible(&one, &other), compatible(&other, &one), callable_as(&other, &one));
            proptest::prop_assert!(compatible(&other, &other));
        }
    }
}
