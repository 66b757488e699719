//! What updates mean, in the plainest words: no slots, no memory, no threads.

use std::collections::{BTreeMap, HashMap, HashSet};

pub const MODULES: usize = 6;
pub const SYMBOLS: usize = 8;
pub const VARIANTS: usize = 6;
/// Past generations kept.
pub const HISTORY: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Value(i64),
    /// Calls another symbol and adds a number.
    Call(usize, i64),
    /// Counts in the module's variable, which starts with this.
    Count(i64),
}

#[derive(Debug, Clone, Copy)]
pub struct Definition {
    pub symbol: usize,
    pub weak: bool,
    pub body: Body,
}

/// What a module may consist of.
pub struct Variant {
    pub functions: Vec<Definition>,
}

/// Variant `number` of `module`: always the same, and any two different.
pub fn variant(module: usize, number: usize) -> Variant {
    let mut random = (module * VARIANTS + number) as u64 + 1;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) as usize % below
    };
    let base = ((module + 1) * 1000 + number * 100) as i64;
    let mut functions: Vec<Definition> = Vec::new();
    for _ in 0..2 + next(3) {
        let symbol = next(SYMBOLS);
        if functions.iter().any(|f| f.symbol == symbol) {
            continue;
        }
        let body = match next(4) {
            // Only upwards, so that no call comes back.
            0 | 1 if symbol + 1 < SYMBOLS => Body::Call(symbol + 1 + next(SYMBOLS - symbol - 1), base * 10),
            2 => Body::Count(base),
            _ => Body::Value(base + symbol as i64),
        };
        functions.push(Definition { symbol, weak: next(3) == 0, body });
    }
    Variant { functions }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    First,
    Second,
}

#[derive(Debug, Clone, Copy)]
pub enum Step {
    Load(usize, usize),
    Replace(usize, usize),
    Remove(usize),
    Restore(usize, u64),
}

impl Step {
    pub fn module(self) -> usize {
        let (Self::Load(module, _)
        | Self::Replace(module, _)
        | Self::Remove(module)
        | Self::Restore(module, _)) = self;
        module
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Generation {
    pub number: u64,
    variant: usize,
    /// The storage of its variable.
    count: Option<usize>,
}

#[derive(Debug)]
pub struct Module {
    pub live: Generation,
    pub newest: u64,
    past: Vec<Generation>,
    /// When what it provides was made live.
    order: (u64, usize),
}

impl Module {
    pub fn history(&self) -> Vec<(u64, bool)> {
        let past = self.past.iter().map(|past| (past.number, false));
        let mut all: Vec<(u64, bool)> = past.chain([(self.live.number, true)]).collect();
        all.sort_unstable();
        all
    }

    fn past(&self, number: u64) -> Option<Generation> {
        self.past.iter().find(|past| past.number == number).copied()
    }

    /// Nothing that `past` holds has changed.
    fn fits(&self, past: Generation) -> bool {
        past.count.is_none() || self.live.count.is_none() || past.count == self.live.count
    }
}

/// What a step will do: decided when it is prepared.
#[derive(Debug, Clone, Copy)]
enum Work {
    Load(usize, usize),
    Replace(usize, usize),
    Remove(usize),
    /// To go back to the generation as it is, or to its source.
    Return(usize, u64),
    Relink(usize, u64, usize),
}

#[derive(Debug)]
pub struct Staged {
    clock: u64,
    work: Vec<Work>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Module(usize),
    Host(Host),
}

#[derive(Debug, Default)]
pub struct Model {
    pub modules: BTreeMap<usize, Module>,
    host: HashMap<usize, (Host, u64)>,
    storages: Vec<i64>,
    owned: HashMap<usize, (usize, u64)>,
    /// Commits and definitions by the host.
    clock: u64,
}

impl Model {
    pub fn is_current(&self, staged: &Staged) -> bool {
        staged.clock == self.clock
    }

    pub fn define(&mut self, symbol: usize, which: Host) {
        self.host.insert(symbol, (which, self.clock));
        self.clock += 1;
    }

    pub fn prepare(&self, steps: &[Step]) -> Result<Staged, String> {
        let work: Result<Vec<Work>, String> = steps.iter().map(|&step| self.plan(step)).collect();
        let staged = Staged { clock: self.clock, work: work? };
        self.check(&staged)?;
        Ok(staged)
    }

    fn plan(&self, step: Step) -> Result<Work, String> {
        Ok(match step {
            Step::Load(module, variant) => Work::Load(module, variant),
            Step::Replace(module, variant) => Work::Replace(module, variant),
            Step::Remove(module) => Work::Remove(module),
            Step::Restore(module, number) => {
                let known = self.modules.get(&module).ok_or("unknown")?;
                let past = known.past(number).ok_or("not kept")?;
                match known.fits(past) {
                    true => Work::Return(module, number),
                    false => Work::Relink(module, number, past.variant),
                }
            }
        })
    }

    /// Whether the work can be done on what is there now.
    fn check(&self, staged: &Staged) -> Result<(), String> {
        let mut seen = HashSet::new();
        for work in &staged.work {
            let (Work::Load(module, _)
            | Work::Replace(module, _)
            | Work::Remove(module)
            | Work::Return(module, _)
            | Work::Relink(module, ..)) = *work;
            if !seen.insert(module) {
                return Err(format!("{module} twice"));
            }
            let known = self.modules.get(&module);
            let fits = match (*work, known) {
                (Work::Load(..), known) => known.is_none(),
                (Work::Replace(..) | Work::Remove(_), known) => known.is_some(),
                (Work::Return(_, number), Some(known)) => {
                    known.past(number).is_some_and(|past| known.fits(past))
                }
                (Work::Relink(_, number, _), Some(known)) => known.past(number).is_some(),
                (_, None) => false,
            };
            if !fits {
                return Err(format!("{work:?} does not fit"));
            }
        }
        Ok(())
    }

    pub fn commit(&mut self, staged: &Staged) -> Result<(), String> {
        self.check(staged)?;
        // What is linked comes before what is as it was, and in case of doubt the first wins.
        let linked = |work: &&Work| !matches!(work, Work::Return(..) | Work::Remove(_));
        let back = |work: &&Work| matches!(work, Work::Return(..));
        let removed = |work: &&Work| matches!(work, Work::Remove(_));
        let all = &staged.work;
        let in_order: Vec<Work> = all
            .iter()
            .filter(linked)
            .chain(all.iter().filter(back))
            .chain(all.iter().filter(removed))
            .copied()
            .collect();
        let mut ended = Vec::new();
        for (index, work) in in_order.into_iter().enumerate() {
            let order = (self.clock, usize::MAX - index);
            match work {
                Work::Load(module, variant) => {
                    let live = Generation { number: 1, variant, count: self.storage(module, variant, None) };
                    self.modules.insert(module, Module { live, newest: 1, past: Vec::new(), order });
                }
                Work::Replace(module, variant) => {
                    let number = self.modules[&module].newest + 1;
                    ended.push(self.succeed(module, number, variant, order));
                }
                Work::Relink(module, number, variant) => {
                    let it = self.modules.get_mut(&module).unwrap();
                    it.past.retain(|past| past.number != number);
                    ended.push(self.succeed(module, number, variant, order));
                }
                Work::Return(module, number) => {
                    let it = self.modules.get_mut(&module).unwrap();
                    let past = it.past(number).unwrap();
                    it.past.retain(|past| past.number != number);
                    ended.push((module, self.replace(module, past, order)));
                }
                Work::Remove(module) => {
                    ended.push((module, self.modules.remove(&module).unwrap().live));
                }
            }
        }
        for (module, old) in ended {
            for definition in variant(module, old.variant).functions {
                if self.provider(definition.symbol).is_none() {
                    self.owned.insert(definition.symbol, (module, old.number));
                }
            }
        }
        self.clock += 1;
        Ok(())
    }

    fn succeed(
        &mut self,
        module: usize,
        number: u64,
        variant: usize,
        order: (u64, usize),
    ) -> (usize, Generation) {
        let kept = self.modules[&module].live.count;
        let count = self.storage(module, variant, kept);
        (module, self.replace(module, Generation { number, variant, count }, order))
    }

    /// The storage of a variant's variable, if it has one.
    fn storage(&mut self, module: usize, number: usize, kept: Option<usize>) -> Option<usize> {
        let start = variant(module, number).functions.iter().find_map(|f| match f.body {
            Body::Count(start) => Some(start),
            _ => None,
        })?;
        Some(kept.unwrap_or_else(|| {
            self.storages.push(start);
            self.storages.len() - 1
        }))
    }

    /// Makes `live` the live generation and returns what was.
    fn replace(&mut self, module: usize, live: Generation, order: (u64, usize)) -> Generation {
        let it = self.modules.get_mut(&module).unwrap();
        it.newest = it.newest.max(live.number);
        it.order = order;
        let old = std::mem::replace(&mut it.live, live);
        it.past.push(old);
        it.past.sort_by_key(|past| past.number);
        let surplus = it.past.len().saturating_sub(HISTORY);
        it.past.drain(..surplus);
        old
    }

    fn owner(&self, symbol: usize) -> Option<(Owner, Option<Body>)> {
        let of_module = |(&module, it): (&usize, &Module)| {
            let found =
                variant(module, it.live.variant).functions.into_iter().find(|f| f.symbol == symbol)?;
            Some(((!found.weak, it.order), (Owner::Module(module), Some(found.body))))
        };
        let of_host =
            self.host.get(&symbol).map(|&(which, clock)| ((true, (clock, 0)), (Owner::Host(which), None)));
        let all = self.modules.iter().filter_map(of_module).chain(of_host);
        all.max_by_key(|&(strength, _)| strength).map(|(_, owner)| owner)
    }

    /// Who provides `symbol`, as a number.
    pub fn provider(&self, symbol: usize) -> Option<usize> {
        self.owner(symbol).map(|(owner, _)| match owner {
            Owner::Module(module) => module,
            Owner::Host(_) => MODULES,
        })
    }

    /// What a call returns, or which symbol it misses.
    pub fn call(&mut self, symbol: usize) -> Result<i64, usize> {
        match self.owner(symbol) {
            None => Err(symbol),
            Some((Owner::Host(Host::First), _)) => Ok(1001),
            Some((Owner::Host(Host::Second), _)) => Ok(1002),
            Some((Owner::Module(_), Some(Body::Value(value)))) => Ok(value),
            Some((Owner::Module(_), Some(Body::Call(callee, more)))) => Ok(self.call(callee)? + more),
            Some((Owner::Module(module), _)) => {
                let storage = self.modules[&module].live.count.unwrap();
                self.storages[storage] += 1;
                Ok(self.storages[storage])
            }
        }
    }

    /// The module and generation that defined `symbol` last, if it is missing.
    pub fn last_owner(&self, symbol: usize) -> Option<(usize, u64)> {
        self.owned.get(&symbol).copied()
    }
}
