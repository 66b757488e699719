//! Every function of the header bears NULL wherever it can be passed.
//!
//! Owns the reading of prototypes, from which a host is made that calls them all.

use std::fmt::Write as _;
use std::process::Command;

use super::build::{Kind, host, library, result, run, source};

/// A function of the header: what it returns, its name, its parameters.
struct Function {
    returns: String,
    name: String,
    parameters: Vec<String>,
}

/// The functions that the header declares.
fn functions() -> Vec<Function> {
    let header = std::fs::read_to_string(source("include/hotslot.h")).unwrap();
    let (_, body) = header.split_once("extern \"C\" {").unwrap();
    let (_, body) = body.split_once("#endif").unwrap();
    let (body, _) = body.split_once("#ifdef __cplusplus").unwrap();
    let mut code = String::new();
    let mut rest = body.split_once("*/").map_or("", |(_, rest)| rest);
    while let Some((before, after)) = rest.split_once("/*") {
        code += before;
        rest = after.split_once("*/").unwrap().1;
    }
    code += rest;
    let mut all = Vec::new();
    for declaration in code.split(';').map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")) {
        if declaration.is_empty() {
            continue;
        }
        // Names of functions and their parameters; a parameter may be a function itself.
        let at = declaration.find("hotslot_").unwrap();
        let open = at + declaration[at..].find('(').unwrap();
        let start = declaration[..open].rfind([' ', '*']).unwrap() + 1;
        let list = declaration[open + 1..].strip_suffix(')').unwrap();
        let (mut parameters, mut depth) = (vec![String::new()], 0);
        for c in list.chars() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            match c {
                ',' if depth == 0 => parameters.push(String::new()),
                c => parameters.last_mut().unwrap().push(c),
            }
        }
        parameters.retain(|parameter| parameter != "void");
        let returns = declaration[..start].trim().to_owned();
        all.push(Function { returns, name: declaration[start..open].to_owned(), parameters });
    }
    all
}

#[test]
fn no_null_is_a_crash() {
    let functions = functions();
    assert!(functions.len() > 70, "only {} were found", functions.len());
    let mut calls = String::new();
    for Function { returns, name, parameters } in &functions {
        let has_error = parameters.last().is_some_and(|p| p.ends_with("hotslot_error **error"));
        for first in ["0", "runtime"] {
            let is_runtime = parameters.first().is_some_and(|p| p.contains("hotslot_runtime *runtime"));
            if first == "runtime" && (!is_runtime || name == "hotslot_runtime_free") {
                continue;
            }
            let values = parameters.iter().enumerate().map(|(index, _)| match index {
                0 => first,
                _ if has_error && index + 1 == parameters.len() => "&error",
                _ => "0",
            });
            let call = format!("{name}({})", values.collect::<Vec<_>>().join(", "));
            let check = match returns.as_str() {
                // What needs nothing but a runtime has nothing to refuse.
                "hotslot_code" if has_error && first == "runtime" => {
                    format!("code = {call}; CHECK(code == 0 || code == 100); hotslot_error_free(error);")
                }
                "hotslot_code" if has_error => {
                    format!("code = {call}; CHECK(code == 100 && error); hotslot_error_free(error);")
                }
                "hotslot_code" => format!("CHECK({call} == 0);"),
                _ if has_error => format!("CHECK(!{call} && error); hotslot_error_free(error);"),
                _ => format!("(void){call};"),
            };
            let _ = writeln!(
                calls,
                "    puts(\"{name}\"); error = NULL; {}",
                check.replace("(void)hotslot_init", "hotslot_init")
            );
        }
    }
    let text = format!(
        "#include \"check.h\"\nint main(void) {{\n    hotslot_runtime *runtime = new_runtime();\n    \
         hotslot_error *error;\n    hotslot_code code;\n    setvbuf(stdout, NULL, _IONBF, 0);\n{calls}    \
         hotslot_runtime_free(runtime);\n    puts(\"well\");\n    return 0;\n}}\n"
    );
    let file = result("nulls.c");
    std::fs::write(&file, text).unwrap();
    let program = host("gcc", &["-std=c11"], &[file.to_str().unwrap()], Kind::Shared);
    let output = run(&mut Command::new(program));
    assert!(output.stdout.ends_with(b"well\n"));
}

#[test]
fn what_is_declared_is_exported() {
    let library = library().folder.join("libhotslot.so");
    let output = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut exported: Vec<&str> = listed.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    exported.sort_unstable();
    let functions = functions();
    let mut declared: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    declared.sort_unstable();
    assert_eq!(exported, declared);
}
