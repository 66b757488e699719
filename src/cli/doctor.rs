//! `hotslot doctor`: is everything there that hotslot needs, and if not, what to
//! install or change.
//!
//! Owns what a finding means and how the list is printed. How the system is asked
//! is in `probe.rs`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use super::failure::Failure;
use super::options::DoctorOptions;
use super::{cache, probe};

/// The address space a runtime reserves when nobody says how much.
const RESERVATION: usize = 1 << 30;
/// Mappings a process with LLVM, its libraries and a few hundred threads has.
const MAPPINGS: u64 = 4096;

/// One thing that was looked at.
struct Finding {
    name: &'static str,
    /// What is there, or what is wrong.
    outcome: Result<String, String>,
    /// What to do when it is not there.
    advice: &'static str,
}

/// Looks at everything, prints the list, and fails when something is missing.
pub fn doctor(options: &DoctorOptions) -> Result<ExitCode, Failure> {
    let findings = examine(options);
    let text = if options.json { json(&findings) } else { lines(&findings) };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::new(format!("stdout: {error}")))?;
    let healthy = findings.iter().all(|finding| finding.outcome.is_ok());
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn examine(options: &DoctorOptions) -> Vec<Finding> {
    let (major, minor, patch) = hotslot::llvm_version();
    let clang = |program: &Path| compiler(program, major);
    vec![
        Finding {
            name: "processor",
            outcome: processor(std::env::consts::ARCH),
            advice: "run hotslot on an x86-64 machine",
        },
        Finding { name: "LLVM library", outcome: Ok(format!("{major}.{minor}.{patch}")), advice: "" },
        Finding {
            name: "C compiler",
            outcome: clang(&options.compilers.cc),
            advice: "apt install clang-19, or name another clang with --cc; .ll, .bc, .o and .a files run without",
        },
        Finding {
            name: "C++ compiler",
            outcome: clang(&options.compilers.cxx),
            advice: "apt install clang-19 g++, or name another clang++ with --cxx",
        },
        Finding {
            name: "C headers",
            outcome: header(&options.compilers.cc, "c", "stdio.h"),
            advice: "apt install libc6-dev",
        },
        Finding {
            name: "C++ headers",
            outcome: header(&options.compilers.cxx, "c++", "iostream"),
            advice: "apt install g++; the headers must be those of the newest gcc in /usr/lib/gcc",
        },
        Finding {
            name: "dual mapping",
            outcome: probe::dual_mapping().map(|()| "memfd, F_SEAL_FUTURE_WRITE, exec".to_owned()),
            advice: "use Linux 5.1 or later, with vm.memfd_noexec at 0 or 1 and no policy against executable memory files",
        },
        Finding {
            name: "code publication",
            outcome: probe::sync_core().map(|()| "membarrier SYNC_CORE".to_owned()),
            advice: "use Linux 4.16 or later and allow the membarrier system call in the container's seccomp profile",
        },
        Finding {
            name: "address space",
            outcome: probe::reserve(RESERVATION).map(|()| format!("{} MiB", RESERVATION >> 20)),
            advice: "raise `ulimit -v`, or make the reservation smaller with --arena",
        },
        Finding {
            name: "mapping limit",
            outcome: probe::mapping_limit().and_then(enough_mappings),
            advice: "sysctl -w vm.max_map_count=65530",
        },
        Finding {
            name: "/proc",
            outcome: probe::proc().map(|()| "mounted".to_owned()),
            advice: "mount /proc (in a chroot: mount -t proc proc /proc)",
        },
        Finding {
            name: "cache",
            // Everything works without.
            outcome: Ok(cache::chosen(&options.cache).map_or("none".into(), |cache| cache::described(&cache))),
            advice: "",
        },
    ]
}

fn processor(arch: &str) -> Result<String, String> {
    match arch {
        "x86_64" => Ok(arch.to_owned()),
        other => Err(format!("code cannot be run on {other} yet")),
    }
}

fn enough_mappings(limit: u64) -> Result<String, String> {
    if limit < MAPPINGS {
        return Err(format!("{limit} a process, less than {MAPPINGS}"));
    }
    Ok(format!("{limit} a process"))
}

/// What a program that says its version and is not a clang calls itself.
pub fn other_than_clang(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default();
    clang_major(first).is_none().then(|| first.to_owned())
}

/// What the compiler says of itself, and whether its bitcode is for our LLVM.
fn compiler(program: &Path, ours: u32) -> Result<String, String> {
    let name = program.display();
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default();
    let Some(theirs) = clang_major(first) else {
        return Err(format!("{name} is not a clang: {first}"));
    };
    // Newer LLVM reads older bitcode, never the other way.
    if theirs > ours {
        return Err(format!("{name} is clang {theirs}, whose bitcode LLVM {ours} cannot read"));
    }
    Ok(format!("{name}: {first}"))
}

/// Whether the compiler finds a header of its language's library.
fn header(compiler: &Path, language: &str, header: &str) -> Result<String, String> {
    let output = Command::new(compiler)
        .args(["-x", language, "-M", "-include", header, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", compiler.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(text.lines().next().unwrap_or("not found").to_owned());
    }
    // The output is a make rule, and the paths in it end with the header's name.
    let rule = String::from_utf8_lossy(&output.stdout);
    let ending = format!("/{header}");
    let path = rule.split_whitespace().find(|word| word.ends_with(&ending));
    Ok(path.unwrap_or(header).to_owned())
}

/// The major number in `… clang version 19.1.7 …`.
fn clang_major(line: &str) -> Option<u32> {
    let (_, version) = line.split_once("clang version ")?;
    version.split(['.', ' ', '-']).next()?.parse().ok()
}

fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { name, outcome, advice } in findings {
        match outcome {
            Ok(what) => text.push_str(&format!("ok       {name:<18}{what}\n")),
            Err(why) => {
                text.push_str(&format!("MISSING  {name:<18}{why}\n"));
                text.push_str(&format!("         {:<18}do: {advice}\n", ""));
            }
        }
    }
    text
}

fn json(findings: &[Finding]) -> String {
    let healthy = findings.iter().all(|finding| finding.outcome.is_ok());
    let rows: Vec<String> = findings
        .iter()
        .map(|finding| {
            let (ok, detail, advice) = match &finding.outcome {
                Ok(what) => (true, what, "null".to_owned()),
                Err(why) => (false, why, quoted(finding.advice)),
            };
            let (name, detail) = (quoted(finding.name), quoted(detail));
            format!(r#"    {{"name": {name}, "ok": {ok}, "detail": {detail}, "advice": {advice}}}"#)
        })
        .collect();
    format!("{{\n  \"ok\": {healthy},\n  \"checks\": [\n{}\n  ]\n}}\n", rows.join(",\n"))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clang_versions() {
        assert_eq!(clang_major("Debian clang version 19.1.7 (3)"), Some(19));
        assert_eq!(clang_major("clang version 20.0.0git"), Some(20));
        assert_eq!(clang_major("gcc (Debian 12.2.0-14) 12.2.0"), None);
        assert_eq!(clang_major(""), None);
    }

    #[test]
    fn a_missing_thing_comes_with_advice() {
        let findings = [
            Finding { name: "a", outcome: Ok("there".into()), advice: "x" },
            Finding { name: "b", outcome: Err("say \"no\"".into()), advice: "apt install b" },
        ];
        let text = lines(&findings);
        assert!(text.contains("ok       a"), "{text}");
        assert!(text.contains("do: apt install b"), "{text}");
        let text = json(&findings);
        assert!(text.contains(r#""ok": false,"#), "{text}");
        assert!(text.contains(r#""say \"no\"""#), "{text}");
        assert!(text.contains(r#""advice": null"#), "{text}");
    }
}
