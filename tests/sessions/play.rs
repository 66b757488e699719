//! Plays a session: saves each edit, reads what `--events` tells of it, and compares what the
//! program does with a native build of the same files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::disk;
use super::native::Native;
use super::running::Running;
use super::step::{Answer, Changes, Expect, Files, Save, Step};
use super::subject::{Build, CMAKE, GENERATED, Subject};

/// Plays all steps with this many threads in the program that do its work meanwhile.
pub fn play(subject: &Subject, native: &Native, steps: &[Step], threads: usize) {
    let scratch = super::scratch();
    let (tree, aside) = (scratch.path().join("tree"), scratch.path().join("aside"));
    std::fs::create_dir(&tree).unwrap();
    std::fs::create_dir(&aside).unwrap();
    disk::lay_out(&tree, &subject.files);
    let build = scratch.path().join("build");
    if let Build::CMake { .. } = subject.build {
        configure(&tree, &build);
    }
    // So long that a save of several files is one update on a busy machine, too.
    let mut arguments: Vec<String> = vec!["--debounce".into(), "250".into()];
    arguments.extend(subject.arguments(&build));
    arguments.extend(["--".to_owned(), threads.to_string()]);
    let mut session = Session {
        running: Running::start(&tree, &aside, &arguments),
        original: &subject.files,
        files: subject.files.clone(),
        native,
        build: matches!(subject.build, Build::CMake { .. }).then_some(build),
        turns: 0,
        uses: 0,
        answer: String::new(),
        wrong: Vec::new(),
    };
    let started = session.running.event();
    assert_eq!(started["event"], "started", "{started}");
    session.answer = session.turn();
    session.compare("before any edit", &native.answer(&subject.files));
    for step in steps {
        let begun = Instant::now();
        session.step(step, &tree, &aside);
        println!("{threads} threads, {}: {:?}", step.name, begun.elapsed());
    }
    session.running.quit();
    let wrong = session.wrong;
    assert!(
        wrong.is_empty(),
        "{threads} threads, {} of {} edits:\n{}",
        wrong.len(),
        steps.len(),
        wrong.join("\n")
    );
}

fn configure(tree: &Path, build: &Path) {
    let mut command = Command::new("cmake");
    command.arg("-S").arg(tree).arg("-B").arg(build).args(CMAKE);
    checked(&mut command);
    // What is compiled has to be there.
    checked(Command::new("cmake").arg("--build").arg(build).args(["--target", GENERATED]));
}

fn checked(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

struct Session<'a> {
    running: Running,
    original: &'a Files,
    files: Files,
    native: &'a Native,
    /// Where CMake has written what it knows.
    build: Option<PathBuf>,
    /// How often the program was asked, and how often what it keeps was used since it rested.
    turns: u64,
    uses: u64,
    answer: String,
    /// What did not come out as expected; the session goes on as long as it can.
    wrong: Vec<String>,
}

impl Session<'_> {
    fn step(&mut self, step: &Step, tree: &Path, aside: &Path) {
        if step.at_rest {
            self.running.ask("rest");
            self.uses = 0;
        }
        let before = std::mem::take(&mut self.files);
        self.files = step.apply(&before, self.original);
        // It hears of all of it at once, however long that takes on a busy machine.
        self.running.while_stopped(|| disk::save(tree, aside, &before, &self.files, step.save));
        if let Some(build) = self.build.as_ref().filter(|_| step.configure) {
            configure(tree, build);
        }
        let answer = match step.expect {
            Expect::Eventually => {
                let is_module = |path: &&String| path.ends_with(".c") || path.ends_with(".cpp");
                let is_gone = |path: &&String| !self.files.contains_key(*path);
                let gone = before.keys().filter(is_module).filter(is_gone).count();
                self.finally(step, gone)
            }
            _ => {
                let event = self.outcome(&step.expect);
                if let Err(why) = check(&event, &step.expect) {
                    self.wrong(step.name, &format!("{why}: {event}"));
                }
                self.woken(step)
            }
        };
        let before = std::mem::replace(&mut self.answer, answer);
        let same = self.answer == before;
        let expected = match step.answer {
            Answer::StaysAlone => before,
            Answer::ChangesAlone => {
                if same {
                    self.wrong(step.name, "nothing has changed");
                }
                self.answer.clone()
            }
            Answer::Keeps(texts) => kept(step.name, self.native.answer(&self.files), texts),
            Answer::Changes | Answer::Stays => {
                if same != (step.answer == Answer::Stays) {
                    self.wrong(step.name, if same { "nothing has changed" } else { "this has an effect" });
                }
                self.native.answer(&self.files)
            }
        };
        self.compare(step.name, &expected);
        for text in step.says.iter().filter(|text| !self.answer.contains(**text)) {
            self.wrong.push(format!("{}: no `{text}` in\n{}", step.name, self.answer));
        }
    }

    fn wrong(&mut self, step: &str, why: &str) {
        // At once: the session may not come to its end because of it.
        println!("{step}: {why}");
        self.wrong.push(format!("{step}: {why}"));
    }

    /// What the program answers now; its count has to be right.
    fn turn(&mut self) -> String {
        self.turns += 1;
        self.uses += 1;
        let answer = self.running.ask("do");
        let start = format!("turn {}\nkept {}\n", self.turns, self.uses);
        match answer.strip_prefix(&start) {
            Some(rest) => rest.to_owned(),
            None => self.running.fail(&format!("the program has lost its state:\n{answer}")),
        }
    }

    fn woken(&mut self, step: &Step) -> String {
        if step.at_rest {
            self.running.ask("wake");
        }
        self.turn()
    }

    fn compare(&mut self, step: &str, expected: &str) {
        if self.answer != expected {
            let lines = self.answer.lines().filter(|line| !expected.lines().any(|other| other == *line));
            let lines: Vec<&str> = lines.collect();
            self.wrong(step, &format!("expected\n{expected}and the program says\n{}", lines.join("\n")));
        }
    }

    /// The next event that ends an update. Of files that are what they were it is told besides.
    fn outcome(&mut self, expect: &Expect) -> Value {
        loop {
            let event = self.running.event();
            match event["event"].as_str().unwrap_or_default() {
                "compiling" | "cancelled" | "optimised" | "note" => {}
                "unchanged" if !matches!(expect, Expect::Unchanged) => {}
                "reverted" if matches!(expect, Expect::Live(_)) => {}
                _ => return event,
            }
        }
    }

    /// The answer once the files are what is live, and this many modules are gone.
    fn finally(&mut self, step: &Step, gone: usize) -> String {
        let expected = self.native.answer(&self.files);
        let (mut woken, mut unloaded) = (false, 0);
        loop {
            let event = self.outcome(&step.expect);
            if !matches!(event["event"].as_str(), Some("live" | "reverted" | "no-effect")) {
                continue;
            }
            unloaded += texts(&event["unloaded"]).len();
            let answer = if woken { self.turn() } else { self.woken(step) };
            woken = true;
            if answer == expected && unloaded >= gone {
                return answer;
            }
        }
    }
}

/// What a program says that has kept its state where a native one has its initial values.
fn kept(step: &str, mut answer: String, texts: &[(&str, &str)]) -> String {
    for (native, live) in texts {
        assert!(answer.contains(native), "{step}: natively no `{native}` in\n{answer}");
        answer = answer.replace(native, live);
    }
    answer
}

/// Whether an event is what was expected.
fn check(event: &Value, expect: &Expect) -> Result<(), String> {
    let wanted = match expect {
        Expect::Live(_) => "live",
        Expect::NoEffect(_) => "no-effect",
        Expect::Unchanged => "unchanged",
        Expect::Reverted => "reverted",
        Expect::CompileError(_) => "compile-error",
        Expect::Refused(..) => "refused",
        Expect::LinkError(..) => "link-error",
        Expect::Eventually => return Ok(()),
    };
    if event["event"] != wanted {
        return Err(format!("expected the event {wanted}"));
    }
    match expect {
        Expect::Live(changes) => check_changes(event, changes),
        Expect::NoEffect(text) => {
            let why = texts(&event["why"]).join("\n");
            why.contains(text).then_some(()).ok_or_else(|| format!("expected the reason `{text}`"))
        }
        Expect::CompileError(text) => {
            let units = event["units"].as_array().cloned().unwrap_or_default();
            let said = units.iter().any(|unit| {
                let said = unit["diagnostics"].as_str().unwrap_or_default();
                said.contains(text) && said.contains("error:")
            });
            said.then_some(()).ok_or_else(|| format!("expected the diagnostics `{text}`"))
        }
        Expect::Refused(kind, symbol) | Expect::LinkError(kind, symbol) => {
            let problems = event["problems"].as_array().cloned().unwrap_or_default();
            let found = problems.iter().any(|one| one["kind"] == *kind && one["symbol"] == *symbol);
            found.then_some(()).ok_or_else(|| format!("expected a problem {kind} of {symbol}"))
        }
        _ => Ok(()),
    }
}

fn check_changes(event: &Value, changes: &Changes) -> Result<(), String> {
    let modules = event["modules"].as_array().cloned().unwrap_or_default();
    if modules.len() < changes.modules {
        return Err(format!("expected {} modules or more", changes.modules));
    }
    let all = |key: &str| -> Vec<String> { modules.iter().flat_map(|module| texts(&module[key])).collect() };
    let loaded = modules.iter().filter(|module| module["loaded"] == true);
    let loaded = loaded.filter_map(|module| module["module"].as_str()).map(str::to_owned).collect();
    let lists = [
        ("swapped", all("swapped"), changes.swapped),
        ("new", all("new"), changes.new),
        ("removed", all("removed"), changes.removed),
        ("new_variables", all("new_variables"), changes.new_variables),
        ("reset_variables", all("reset_variables"), changes.reset_variables),
        ("kept_variables", all("kept_variables"), changes.kept_variables),
        ("loaded", loaded, changes.loaded),
        ("unloaded", texts(&event["unloaded"]), changes.unloaded),
    ];
    for (key, found, expected) in lists {
        check_list(found, expected).map_err(|why| format!("{key}: {why}"))?;
    }
    let total = event["times"]["total_ms"].as_f64().unwrap_or_default();
    (total > 0.0).then_some(()).ok_or_else(|| "it took no time".to_owned())
}

fn check_list(mut found: Vec<String>, expected: &str) -> Result<(), String> {
    found.sort();
    let mut expected: Vec<&str> = expected.split_whitespace().collect();
    let more = expected.last() == Some(&"*");
    if more {
        expected.pop();
        found.retain(|name| expected.contains(&name.as_str()));
    }
    (found == expected).then_some(()).ok_or_else(|| format!("expected {expected:?}, found {found:?}"))
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
}

/// Sees that the steps are what they say without any hotslot: each builds natively and changes
/// what the program does, or does not.
pub fn rehearse(subject: &Subject, native: &Native, steps: &[Step]) {
    let mut files = subject.files.clone();
    let mut answer = native.answer(&files);
    for step in steps {
        let after = step.apply(&files, &subject.files);
        assert!(step.save != Save::Over || is_longer(&files, &after), "{}: not by one write", step.name);
        files = after;
        let before = answer.clone();
        match step.answer {
            Answer::StaysAlone | Answer::ChangesAlone => continue,
            Answer::Changes => {
                answer = native.answer(&files);
                assert!(before != answer, "{}: nothing has changed:\n{answer}", step.name);
            }
            Answer::Stays => {
                answer = native.answer(&files);
                assert_eq!(before, answer, "{}", step.name);
            }
            Answer::Keeps(texts) => answer = kept(step.name, native.answer(&files), texts),
        }
        for text in &step.says {
            assert!(answer.contains(text), "{}: no `{text}` in\n{answer}", step.name);
        }
    }
}

fn is_longer(before: &Files, after: &Files) -> bool {
    after.iter().all(|(path, text)| before.get(path).is_none_or(|old| old.len() <= text.len()))
}
