//! Random updates against a plain model of what they mean.
//!
//! Modules define functions of a few common names, strong or weak: some return a number, some
//! call another, some count in a variable of their module. The model says for each name who
//! provides it, what a call returns, and what becomes of the variables.
#![allow(unsafe_code)] // handles to generated code are made with a promise

#[path = "model/plain.rs"]
mod plain;

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::OnceLock;

use hotslot::{ErrorKind, Function, OptLevel, PreparedUpdate, Runtime, Source};
use plain::{Body, HISTORY, Host, MODULES, Model, SYMBOLS, Staged, Step, VARIANTS, Variant, variant};
use proptest::prelude::*;

type Nullary = extern "C" fn() -> i64;

fn module_name(module: usize) -> String {
    format!("m{module}")
}

fn symbol_name(symbol: usize) -> String {
    format!("s{symbol}")
}

/// The IR of a variant.
fn text(it: &Variant) -> String {
    let mut text = String::new();
    for definition in &it.functions {
        let weak = if definition.weak { "weak " } else { "" };
        let symbol = definition.symbol;
        text += &match definition.body {
            Body::Value(value) => format!("define {weak}i64 @s{symbol}() {{ ret i64 {value} }}\n"),
            Body::Call(callee, more) => {
                let declared = it.functions.iter().any(|f| f.symbol == callee)
                    || text.contains(&format!("declare i64 @s{callee}()"));
                let declare = if declared { String::new() } else { format!("declare i64 @s{callee}()\n") };
                format!(
                    "{declare}define {weak}i64 @s{symbol}() {{ %r = call i64 @s{callee}()\n \
                     %s = add i64 %r, {more}\n ret i64 %s }}\n"
                )
            }
            // Two in one module use one variable.
            Body::Count(start) => {
                let variable = if text.contains("@count =") {
                    String::new()
                } else {
                    format!("@count = internal global i64 {start}\n")
                };
                format!(
                    "{variable}define {weak}i64 @s{symbol}() {{ %v = load i64, ptr @count\n \
                     %w = add i64 %v, 1\n store i64 %w, ptr @count\n ret i64 %w }}\n"
                )
            }
        };
    }
    text
}

/// Every variant of every module, compiled once.
fn objects() -> &'static [Vec<Source>] {
    static ALL: OnceLock<Vec<Vec<Source>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let rt = Runtime::builder().opt_level(OptLevel::O1).build().unwrap();
        let one = |module, number| {
            let source = Source::ir(text(&variant(module, number))).trusted();
            rt.compile(&source).unwrap()
        };
        (0..MODULES).map(|module| (0..VARIANTS).map(|number| one(module, number)).collect()).collect()
    })
}

/// A function of the host's, with a value of its own.
extern "C" fn host<const VALUE: i64>() -> i64 {
    VALUE
}

fn host_function(which: Host) -> *const c_void {
    match which {
        Host::First => host::<1001> as *const c_void,
        Host::Second => host::<1002> as *const c_void,
    }
}

#[derive(Debug, Clone)]
enum Action {
    Commit(Vec<Step>),
    Prepare(Vec<Step>),
    /// One of those prepared, by a number modulo how many there are.
    CommitPrepared(usize),
    Drop(usize),
    Define(usize, Host),
    Reclaim,
}

fn step() -> impl Strategy<Value = Step> {
    let (module, variant) = (0..MODULES, 0..VARIANTS);
    prop_oneof![
        1 => (module.clone(), variant.clone()).prop_map(|(m, v)| Step::Load(m, v)),
        20 => (module.clone(), variant).prop_map(|(m, v)| Step::Replace(m, v)),
        2 => module.clone().prop_map(Step::Remove),
        12 => (module, 1..=HISTORY as u64 + 1).prop_map(|(m, back)| Step::Restore(m, back)),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let steps = || proptest::collection::vec(step(), 1..4);
    prop_oneof![
        8 => steps().prop_map(Action::Commit),
        4 => steps().prop_map(Action::Prepare),
        4 => (0..4usize).prop_map(Action::CommitPrepared),
        1 => (0..4usize).prop_map(Action::Drop),
        1 => (0..SYMBOLS, prop_oneof![Just(Host::First), Just(Host::Second)])
            .prop_map(|(s, h)| Action::Define(s, h)),
        2 => Just(Action::Reclaim),
    ]
}

/// The runtime under test and the model of it.
struct Pair {
    rt: Runtime,
    model: Model,
    prepared: Vec<(PreparedUpdate, Staged)>,
    handles: HashMap<usize, Function<Nullary>>,
}

impl Pair {
    fn new() -> Self {
        let builder = Runtime::builder().arena_size(16 << 20).history(HISTORY).process_symbols(false);
        let rt = builder.build().unwrap();
        Self { rt, model: Model::default(), prepared: Vec::new(), handles: HashMap::new() }
    }

    /// Steps that mostly make sense: what is not there is loaded, generations to return to are
    /// counted back from the newest, and each module occurs once, unless it is to be loaded.
    fn resolve(&self, steps: &[Step]) -> Vec<Step> {
        let one = |step: Step| match (step, self.model.modules.get(&step.module())) {
            (Step::Replace(module, variant), None) => Step::Load(module, variant),
            (Step::Restore(module, back), Some(known)) => {
                let others = known.history().into_iter().rev().filter(|(_, live)| !live);
                let chosen = others.map(|(number, _)| number).nth(back as usize - 1);
                chosen.map_or(Step::Replace(module, back as usize), |number| Step::Restore(module, number))
            }
            (step, _) => step,
        };
        let mut seen = Vec::new();
        let mut fits = |step: &Step| {
            let new = !seen.contains(&step.module());
            seen.push(step.module());
            new || matches!(step, Step::Load(..))
        };
        steps.iter().copied().filter(|step| fits(step)).map(one).collect()
    }

    fn prepare(&self, steps: &[Step]) -> Result<PreparedUpdate, hotslot::Error> {
        let mut update = self.rt.update();
        for &step in steps {
            match step {
                Step::Load(m, v) => update.load(module_name(m), objects()[m][v].clone()),
                Step::Replace(m, v) => update.replace(module_name(m), objects()[m][v].clone()),
                Step::Remove(m) => update.remove(module_name(m)),
                Step::Restore(m, number) => update.restore(module_name(m), number),
            };
        }
        update.prepare()
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Commit(steps) | Action::Prepare(steps) => {
                let steps = self.resolve(steps);
                let (real, planned) = (self.prepare(&steps), self.model.prepare(&steps));
                let real = match (real, planned) {
                    (Ok(prepared), Ok(staged)) => (prepared, staged),
                    (Err(error), Err(_)) => return assert_eq!(error.kind(), ErrorKind::Update, "{error}"),
                    (real, planned) => panic!("prepare {steps:?}: {real:?}, the model {planned:?}"),
                };
                match action {
                    Action::Commit(_) => self.commit(real),
                    _ => self.prepared.push(real),
                }
            }
            Action::CommitPrepared(at) if !self.prepared.is_empty() => {
                let which = self.prepared.remove(at % self.prepared.len());
                self.commit(which);
            }
            Action::Drop(at) if !self.prepared.is_empty() => {
                drop(self.prepared.remove(at % self.prepared.len()));
            }
            Action::CommitPrepared(_) | Action::Drop(_) => {}
            Action::Define(symbol, which) => {
                // SAFETY: the type that modules declare it with.
                unsafe { self.rt.define_function(&symbol_name(*symbol), host_function(*which)) }.unwrap();
                self.model.define(*symbol, *which);
            }
            Action::Reclaim => {
                // SAFETY: nothing of this runtime runs, and nothing retired is used.
                unsafe { self.rt.free_retired() };
                assert_eq!(self.rt.stats().retired, 0);
            }
        }
    }

    fn commit(&mut self, (prepared, staged): (PreparedUpdate, Staged)) {
        assert_eq!(prepared.is_current(), self.model.is_current(&staged));
        let (real, planned) = (prepared.commit(), self.model.commit(&staged));
        match (real, planned) {
            (Ok(report), Ok(())) => {
                for module in &report.modules {
                    let number = module.name[1..].parse::<usize>().unwrap();
                    assert_eq!(module.generation, self.model.modules[&number].live.number, "{report:?}");
                }
            }
            (Err(error), Err(why)) => assert_eq!(error.kind(), ErrorKind::Update, "{error}; {why}"),
            (real, planned) => panic!("commit: {real:?}, the model {planned:?}"),
        }
    }

    /// Everything that can be asked, asked of both.
    fn compare(&mut self) {
        let mut modules = self.rt.modules();
        modules.sort();
        let expected: Vec<(String, u64)> =
            self.model.modules.iter().map(|(&m, it)| (module_name(m), it.live.number)).collect();
        assert_eq!(modules, expected);
        for (&module, it) in &self.model.modules {
            let history = self.rt.history(&module_name(module)).unwrap();
            let real: Vec<(u64, bool)> = history.iter().map(|g| (g.number, g.live)).collect();
            assert_eq!(real, it.history(), "history of module {module}");
        }
        for symbol in 0..SYMBOLS {
            let provided = self.model.provider(symbol).is_some();
            if !self.handles.contains_key(&symbol) {
                // SAFETY: every variant and the host define it with this type.
                let handle = unsafe { self.rt.function::<Nullary>(&symbol_name(symbol)) };
                assert_eq!(handle.is_ok(), provided, "s{symbol}: {handle:?}");
                let Ok(handle) = handle else { continue };
                self.handles.insert(symbol, handle);
            }
            assert_eq!(self.rt.address_of(&symbol_name(symbol)).is_ok(), provided, "s{symbol}");
            match (self.handles[&symbol].try_call(), self.model.call(symbol)) {
                (Ok(real), Ok(expected)) => assert_eq!(real, expected, "s{symbol}"),
                (Err(error), Err(missing)) => {
                    let text = error.to_string();
                    assert_eq!(error.symbol(), Some(&*symbol_name(missing)), "{text}");
                    let said = match self.model.last_owner(missing) {
                        Some((m, number)) => format!("module m{m} (generation {number}) had it last"),
                        None => "never defined".to_owned(),
                    };
                    assert!(text.contains(&said), "{text}; {said}");
                }
                (real, expected) => panic!("s{symbol}: {real:?}, the model {expected:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn updates_do_what_the_model_says(actions in proptest::collection::vec(action(), 1..60)) {
        let mut pair = Pair::new();
        for action in &actions {
            pair.act(action);
            pair.compare();
        }
        // What is prepared and not committed leaves nothing behind.
        let before = pair.rt.stats().modules;
        pair.prepared.clear();
        pair.compare();
        assert_eq!(pair.rt.stats().modules, before);
    }
}
