//! C++ programs.

use std::os::unix::process::ExitStatusExt;

use crate::place::Place;

const HELLO_CXX: &str = r#"
#include <iostream>
#include <stdexcept>
#include <string>
struct Loud { const char *name; ~Loud() { std::cout << "~" << name << std::endl; } };
static Loud global{"global"};
int parse(const std::string &text);
int main(int argc, char **argv) {
    std::cout << "hello " << parse("41") + 1 << std::endl;
    try { parse("x"); } catch (const std::invalid_argument &e) { std::cout << "caught" << std::endl; }
    if (argc > 1) parse("x");
    return 0;
}
"#;
const PARSE_CXX: &str = "#include <string>\nint parse(const std::string &t) { return std::stoi(t); }\n";

#[test]
fn cxx_with_iostream_and_exceptions() {
    let place = Place::new(&[("main.cpp", HELLO_CXX), ("parse.cc", PARSE_CXX)]);
    for level in ["-O0", "-O2"] {
        place.run(&[level, "main.cpp", "parse.cc"]).printed("hello 42\ncaught\n~global\n");
    }
}

#[test]
fn an_exception_nobody_catches_terminates() {
    let place = Place::new(&[("main.cxx", HELLO_CXX), ("parse.cc", PARSE_CXX)]);
    let outcome = place.run(&["main.cxx", "parse.cc", "--", "again"]);
    assert_eq!(outcome.output.status.signal(), Some(libc::SIGABRT));
    assert_eq!(outcome.stdout, "hello 42\ncaught\n");
    assert!(
        outcome.stderr.starts_with(
            "terminate called after throwing an instance of 'std::invalid_argument'\n  what():  stoi"
        ),
        "{outcome:?}"
    );
}
