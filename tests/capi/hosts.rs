//! Hosts in C and C++ run with the shared library and with the static one.

use std::process::Command;

use super::build::{KINDS, Kind, host, result, run, source};

fn c_host(kind: Kind) -> Vec<String> {
    let program = host("gcc", &["-std=c11"], &["tests/capi/host.c"], kind);
    const TESTS: [&str; 13] = [
        "loads_and_replaces",
        "says_what_failed",
        "looks_names_up",
        "updates_several",
        "makes_callers_anew",
        "survives_faults",
        "is_interrupted",
        "reads_records",
        "keeps_a_cache",
        "is_used_by_threads",
        "has_hooks",
        "is_ended_by_itself",
        "runs_lines",
    ];
    let mut wrong = Vec::new();
    for test in TESTS {
        let output = Command::new(&program).arg(test).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || said != "well\n" {
            let why = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!("{kind:?} {test}: {} {said}{why}", output.status));
        }
    }
    wrong
}

#[test]
fn a_host_in_c_has_all_of_it() {
    let wrong: Vec<String> = KINDS.into_iter().flat_map(c_host).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn exceptions_pass_through_a_host_in_cxx() {
    let code = result("code.o");
    run(Command::new("clang++-19")
        .args(["-std=c++17", "-g", "-O1", "-fPIC", "-c"])
        .arg(source("tests/capi/code.cc"))
        .arg("-o")
        .arg(&code));
    for kind in KINDS {
        let program = host("g++", &["-std=c++17"], &["tests/capi/host.cc"], kind);
        let output = run(Command::new(program).arg(&code));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "well\n", "{kind:?}");
    }
}

#[test]
fn the_example_runs() {
    for kind in KINDS {
        let program = host("gcc", &["-std=c11"], &["examples/c_host/main.c"], kind);
        let output = run(&mut Command::new(program));
        let said = String::from_utf8(output.stdout).unwrap();
        let mut rest = said.as_str();
        for part in [
            "the code says: full price\n   2 sold for 200, with tax 240\n",
            "\"changed_functions\":[\"price\"]",
            "the code says: with a rebate\n   2 sold for 100, with tax 120\n",
            "SIGSEGV at address 0x18 in price in price v3",
            "price.c:4",
            "taken back\n   the code says: with a rebate\n   2 sold for 100, with tax 120\n",
            "no sale: interrupted in price",
            "code 2: tax.ll",
            "3 sold for 150, with tax 180\n",
            "In all 11 were sold",
        ] {
            let at = rest.find(part).unwrap_or_else(|| panic!("{kind:?}: no {part:?} in\n{rest}"));
            rest = &rest[at + part.len()..];
        }
    }
}

#[test]
fn the_first_host_of_the_guide_runs() {
    let guide = std::fs::read_to_string(source("docs/c-api.md")).unwrap();
    let (_, rest) = guide.split_once("```c\n").unwrap();
    let file = result("first.c");
    std::fs::write(&file, rest.split_once("```").unwrap().0).unwrap();
    let program = host("gcc", &["-std=c11"], &[file.to_str().unwrap()], Kind::Shared);
    assert_eq!(run(&mut Command::new(program)).stdout, b"42\n");
}
