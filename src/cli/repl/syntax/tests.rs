//! What inputs are split into.

use super::*;

struct Types(&'static [&'static str]);

impl Known for Types {
    fn is_type(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

const NONE: Types = Types(&[]);

#[test]
fn smoke() {
    for text in
        ["int x = 3, *p;", "int f(int a) { return a + x; }", "f(3)", "struct p { int a; } v;", "x +\n"]
    {
        println!("{text}: {} {:#?}", is_complete(text, &NONE), parse(text, &NONE));
    }
}
