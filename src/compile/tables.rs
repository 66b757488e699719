//! Tables of virtual functions whose order is another one than before.
//!
//! An object has the address of its class's table as it was when the object was made, and code
//! calls virtual functions by their place in it. So new code that goes by a new order calls
//! wrong functions of old objects. Owns telling an order from another: other bodies are none, and
//! neither is a function that another class of the same family has in its place. Deliberately does
//! not know what objects there are; nobody does.

use std::borrow::Cow;

use cpp_demangle::{DemangleOptions, Symbol};

use super::diff::Known;

/// Stands where a class does not define a function.
const PURE: &str = "__cxa_pure_virtual";
/// The same for one that was deleted.
const DELETED: &str = "__cxa_deleted_virtual";

/// The symbols of tables of `new` whose places are not those of `old`, another version of the same
/// module.
pub(crate) fn moved(old: &Known, new: &Known) -> Vec<String> {
    if std::ptr::eq(&*old.source, &*new.source) {
        return Vec::new();
    }
    let mut moved = Vec::new();
    for variable in &*new.source.summary.variables {
        let Some(now) = &variable.table else { continue };
        let before = old.source.variable(&variable.name).map(|at| &old.source.summary.variables[at]);
        let Some(before) = before.filter(|before| before.initialiser != variable.initialiser) else {
            continue;
        };
        let Some(was) = &before.table else { continue };
        let alike = was.iter().zip(now.iter()).all(|(was, now)| is_alike(was, now));
        if was.len() != now.len() || !alike {
            moved.push(variable.name.to_string());
        }
    }
    moved
}

/// Whether two functions are what a caller may find in one place.
fn is_alike(was: &str, now: &str) -> bool {
    let open = |name| matches!(name, PURE | DELETED);
    was == now || !was.is_empty() && !now.is_empty() && (open(was) || open(now) || called(was) == called(now))
}

/// What a virtual function is called, with the types of its arguments and without its class.
fn called(symbol: &str) -> Cow<'_, str> {
    let options = DemangleOptions::new().no_return_type();
    let Some(text) = Symbol::new(symbol).ok().and_then(|name| name.demangle_with_options(&options).ok())
    else {
        return symbol.into();
    };
    // "{virtual override thunk({offset(-16)}, Right::area(int) const)}"
    let text = text.trim_end_matches('}');
    let text = match text.starts_with('{') {
        true => text.rsplit_once("}, ").map_or(text, |(_, name)| name.strip_suffix(')').unwrap_or(name)),
        false => text,
    };
    let (mut depth, mut own) = (0_u32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '{' => depth += 1,
            '>' | '}' => depth = depth.saturating_sub(1),
            // Not of the arguments' types; a nameless namespace is in brackets, too.
            '(' if depth == 0 && !text[at..].starts_with("(anonymous namespace)") => break,
            ':' if depth == 0 => own = at + 1,
            _ => {}
        }
    }
    let own = &text[own..];
    if own.starts_with('~') { "~".into() } else { own.to_owned().into() }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::{Level, Reads, Source};
    use super::*;

    fn known(text: &str) -> Known {
        use std::io::Write as _;
        let mut clang = Command::new("clang++-19");
        clang.args(["-O1", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c", "-xc++", "-", "-o", "-"]);
        let mut child = clang.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        Known::of(&Source::bitcode(output.stdout), None, Level::Optimised, Reads::default()).unwrap()
    }

    const SHAPES: &str = r#"
        namespace n {
        struct Shape {
            virtual int area(int x) const { return x; }
            virtual int area(long x) { return 2; }
            virtual bool operator<(const Shape &) { return true; }
            virtual ~Shape() {}
        };
        struct Named { virtual const char *name() = 0; virtual int size() { return 1; } };
        template <class T> struct Box : Shape, Named {
            const char *name() override { return "box"; }
            int area(int x) const override { return x * 5; }
        };
        }
        namespace { struct Own : n::Shape { virtual void own() {} }; }
        void *make(int x) { if (x == 1) return new n::Shape; if (x == 2) return new Own; return new n::Box<n::Shape>; }
    "#;

    #[test]
    fn another_order_is_told_and_nothing_else() {
        let base = known(SHAPES);
        let (shape, named) = ("_ZTVN1n5ShapeE", "_ZTVN1n5NamedE");
        let (boxed, own) = ("_ZTVN1n3BoxINS_5ShapeEEE", "_ZTVN12_GLOBAL__N_13OwnE");
        let all = |from: &str, to: &str| {
            assert!(SHAPES.contains(from), "{from}");
            let mut found = moved(&base, &known(&SHAPES.replacen(from, to, 1)));
            found.sort_unstable();
            found
        };
        let quiet: [&str; 0] = [];
        assert_eq!(all("return x;", "return x + 1;"), quiet);
        assert_eq!(all("x * 5", "x * 6"), quiet);
        // Others are called in the same places.
        assert_eq!(all("int area(int x) const override { return x * 5; }", ""), quiet);
        // A function of the second base gets a place in the first one's list, too.
        assert_eq!(all("\"box\"; }", "\"box\"; } int size() override { return 9; }"), [boxed]);
        assert_eq!(
            all("virtual void own() {}", "virtual void own() {} int area(long) override { return 7; }"),
            quiet
        );
        assert_eq!(all("name() = 0;", "name() { return 0; }"), quiet);
        // One more, in front, at the end, or less.
        let one_more =
            all("virtual int area(int x) const {", "virtual void fresh() {} virtual int area(int x) const {");
        assert_eq!(one_more, [own, boxed, shape]);
        assert_eq!(
            all("virtual ~Shape() {}", "virtual ~Shape() {} virtual void last() {}"),
            [own, boxed, shape]
        );
        assert_eq!(all("virtual void own() {}", ""), [own]);
        assert_eq!(all("virtual int size()", "virtual int length()"), [boxed, named]);
        // The same ones in another order, which differ in their arguments only.
        let swapped = SHAPES.replace("area(int x)", "area(char x)").replace("area(long x)", "area(int x)");
        assert!(moved(&base, &known(&swapped)).contains(&shape.to_owned()));
    }
}
