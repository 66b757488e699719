//! Random modules in C and C++, and random edits of them.
//!
//! What an entry of a module returns depends on its source alone, not on what ran before: so it
//! can be compared with that of another runtime. Every variable that keeps its value is written
//! by `set` before the entries are called.

use std::fmt::Write;

/// A generator of numbers that are the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn index(&mut self, limit: usize) -> usize {
        self.below(limit as u64) as usize
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Debug, Clone, Copy)]
enum Linkage {
    Static,
    Extern,
    Hidden,
    Weak,
    Inline,
    AlwaysInline,
    Apart,
    Used,
    Bare,
    Anonymous,
}

const LINKAGES: [Linkage; 12] = {
    use Linkage::*;
    [Static, Static, Static, Extern, Extern, Hidden, Weak, Inline, AlwaysInline, Apart, Used, Bare]
};

#[derive(Debug, Clone)]
enum Statement {
    Arithmetic(u32, u32),
    Constant(usize),
    Variable(usize),
    /// A call of the function with that number, or the nearest there is.
    Call(usize, u32),
    Table(u32),
    Hook(usize),
    Branch(u32, u32),
    Loop(u32),
    LocalStatic(u32),
    Switch(u32),
    Text(u32),
    ThreadLocal(u32),
    Struct(u32),
    Jump(u32),
    Throw(usize, u32),
}

#[derive(Debug, Clone)]
struct Function {
    name: u32,
    linkage: Linkage,
    parameters: usize,
    body: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub struct Program {
    pub cxx: bool,
    threads: bool,
    functions: Vec<Function>,
    constants: Vec<[u32; 4]>,
    /// Whether others see it.
    shared: Vec<bool>,
    variables: usize,
    names: u32,
    /// Empty lines and unused things, which shift everything.
    noise: u32,
    table: [usize; 3],
}

impl Program {
    pub fn new(random: &mut Random, cxx: bool) -> Self {
        let mut program = Self {
            cxx,
            threads: random.chance(20),
            functions: Vec::new(),
            constants: (0..3).map(|_| [0; 4].map(|_| random.below(1000) as u32)).collect(),
            shared: (0..3).map(|_| random.chance(30)).collect(),
            variables: 3,
            names: 0,
            noise: 0,
            table: [0; 3].map(|_| random.index(9)),
        };
        for _ in 0..4 + random.below(8) {
            program.add(random);
        }
        program
    }

    fn add(&mut self, random: &mut Random) {
        let count = if random.chance(30) { random.below(30) } else { random.below(5) };
        let mut body: Vec<Statement> = Vec::new();
        for _ in 0..=count {
            body.push(self.statement(random));
        }
        let (linkage, parameters) = (self.linkage(random), 1 + random.index(3));
        let function = Function { name: self.names, linkage, parameters, body };
        self.names += 1;
        self.functions.insert(random.index(self.functions.len() + 1), function);
    }

    fn linkage(&self, random: &mut Random) -> Linkage {
        match LINKAGES[random.index(LINKAGES.len())] {
            Linkage::Static if self.cxx && random.chance(40) => Linkage::Anonymous,
            other => other,
        }
    }

    fn statement(&self, random: &mut Random) -> Statement {
        let number = random.below(100_000) as u32;
        let other = random.index(16);
        match random.below(24) {
            0..4 => Statement::Arithmetic(number, other as u32),
            4 => Statement::Constant(other % self.constants.len()),
            5 => Statement::Variable(other % self.variables),
            6..11 => Statement::Call(other, number),
            11 => Statement::Table(number),
            12 => Statement::Hook(other % 2),
            13 => Statement::Branch(number, 1 << other),
            14 => Statement::Loop(number),
            15 => Statement::LocalStatic(number),
            16 => Statement::Switch(number),
            17 => Statement::Text(number),
            18 if self.threads => Statement::ThreadLocal(number),
            19 => Statement::Struct(number),
            20 => Statement::Jump(number),
            21 | 22 if self.cxx => Statement::Throw(other, number),
            _ => Statement::Arithmetic(number, 0),
        }
    }

    /// Changes something; says what.
    pub fn edit(&mut self, random: &mut Random) -> String {
        let at = random.index(self.functions.len());
        let statement = self.statement(random);
        let linkage = self.linkage(random);
        let body = &mut self.functions[at].body;
        let place = random.index(body.len());
        match random.below(16) {
            0..5 => body[place] = statement,
            5 | 6 => body.insert(place, statement),
            7 if body.len() > 1 => _ = body.remove(place),
            8 => body.extend((0..12).map(|i| Statement::Arithmetic(i + 3, i))),
            9 => body.truncate(2),
            10 => self.functions[at].linkage = linkage,
            11 => self.functions[at].parameters = 1 + random.index(3),
            12 => self.add(random),
            13 if self.functions.len() > 3 => {
                let gone = self.functions.remove(at);
                return format!("removed f{}", gone.name);
            }
            14 => {
                let constant = random.index(self.constants.len());
                self.constants[constant][random.index(4)] = random.below(1000) as u32;
                return format!("changed c{constant}");
            }
            15 => match random.below(3) {
                0 => self.noise += 1,
                1 => self.table[random.index(3)] = random.index(9),
                _ => self.functions.rotate_left(1),
            },
            _ => self.noise += 1,
        }
        format!("edited f{}", self.functions.get(at).map_or(0, |f| f.name))
    }

    /// How many entries it has.
    pub fn entries(&self) -> impl Iterator<Item = String> + '_ {
        self.functions.iter().map(|function| format!("e{}", function.name))
    }

    fn head(&self, function: &Function) -> String {
        let parameters = ["unsigned x", "unsigned x, unsigned y", "unsigned x, unsigned y, unsigned z"];
        let before = match (function.linkage, self.cxx) {
            (Linkage::Static | Linkage::Anonymous, _) => "static",
            (Linkage::Extern, _) => "",
            (Linkage::Hidden, _) => "__attribute__((visibility(\"hidden\")))",
            (Linkage::Weak, _) => "__attribute__((weak))",
            (Linkage::Inline, true) => "inline",
            (Linkage::Inline, false) => "static inline",
            (Linkage::AlwaysInline, _) => "static inline __attribute__((always_inline))",
            (Linkage::Apart, _) => "static __attribute__((noinline))",
            (Linkage::Used, _) => "static __attribute__((used, noinline))",
            (Linkage::Bare, _) => "static __attribute__((used))",
        };
        let head = format!("{before} unsigned f{}({})", function.name, parameters[function.parameters - 1]);
        // In C++ what has no name outside is in a namespace without one.
        head
    }

    fn call(&self, at: usize, number: u32) -> String {
        let function = &self.functions[at % self.functions.len()];
        let more = [String::new(), format!(", {number}"), format!(", x, {number}u")];
        format!("f{}(x{})", function.name, more[function.parameters - 1])
    }

    /// One of those that take one number.
    fn alone(&self, at: usize) -> String {
        let alone: Vec<&Function> = self.functions.iter().filter(|f| f.parameters == 1).collect();
        match alone[..] {
            [] => "last".to_owned(),
            _ => format!("f{}", alone[at % alone.len()].name),
        }
    }

    pub fn source(&self) -> String {
        let mut text = String::new();
        let out = &mut text;
        for _ in 0..self.noise {
            let _ = writeln!(out, "\n\n");
        }
        let (open, close) = if self.cxx { ("extern \"C\" {", "}") } else { ("", "") };
        let thread = if self.cxx { "thread_local" } else { "_Thread_local" };
        let _ = writeln!(out, "static unsigned fuel; static unsigned last(unsigned x) {{ return x + 1; }}");
        for noise in 0..self.noise {
            let _ = writeln!(
                out,
                "const char *noise{noise}(void) {{ static int n{noise}; n{noise}++; return \"noise {noise}\"; }}"
            );
        }
        if self.threads {
            let _ = writeln!(out, "static {thread} unsigned tl = 5;");
        }
        for function in &self.functions {
            let _ = match function.linkage {
                Linkage::Anonymous => writeln!(out, "namespace {{ {}; }}", self.head(function)),
                _ => writeln!(out, "{};", self.head(function)),
            };
        }
        for (at, (constant, shared)) in self.constants.iter().zip(&self.shared).enumerate() {
            let linkage = if *shared { "extern" } else { "static" };
            let _ = writeln!(
                out,
                "{} const unsigned c{at}[4] = {{{}, {}, {}, {}}};",
                if *shared {
                    "extern const unsigned c".to_owned() + &at.to_string() + "[4];"
                } else {
                    linkage.into()
                },
                constant[0],
                constant[1],
                constant[2],
                constant[3]
            );
        }
        for variable in 0..self.variables {
            let _ = writeln!(out, "static unsigned v{variable};");
        }
        let table = self.table.map(|at| self.alone(at));
        let _ = writeln!(out, "static unsigned (*const table[])(unsigned) = {{{}}};", table.join(", "));
        let _ = writeln!(out, "static unsigned (*hook0)(unsigned) = last; unsigned (*hook1)(unsigned);");
        let _ =
            writeln!(out, "{open} void set(void) {{ fuel = 40; hook1 = {};", self.alone(self.table[0] + 1));
        for variable in 0..self.variables {
            let _ = write!(out, "v{variable} = {};", variable + 7);
        }
        let _ = writeln!(out, "}} {close}");
        for (at, function) in self.functions.iter().enumerate() {
            self.define(at, function, out);
        }
        let _ = writeln!(out, "{open}");
        for (at, function) in self.functions.iter().enumerate() {
            let name = function.name;
            let _ = writeln!(
                out,
                "unsigned e{name}(void) {{ unsigned x = {name}; return {}; }}",
                self.call(at, 3)
            );
        }
        let _ = writeln!(out, "{close}");
        text
    }

    fn define(&self, at: usize, function: &Function, out: &mut String) {
        let anonymous = matches!(function.linkage, Linkage::Anonymous);
        let _ = writeln!(out, "{} {} {{", if anonymous { "namespace {" } else { "" }, self.head(function));
        let _ = writeln!(out, "if (fuel == 0) return x; fuel--;");
        if function.parameters > 1 {
            let _ = writeln!(out, "x += y * 3;");
        }
        if function.parameters > 2 {
            let _ = writeln!(out, "x ^= z;");
        }
        // A function with labels is not inlined: `always_inline` would be an error.
        let inlined = matches!(function.linkage, Linkage::AlwaysInline);
        for (number, statement) in function.body.iter().enumerate() {
            let _ = match statement {
                Statement::Arithmetic(a, b) => writeln!(out, "x = x * {}u + {b};", a | 1),
                Statement::Constant(c) => writeln!(out, "x ^= c{c}[x & 3];"),
                Statement::Variable(v) => writeln!(out, "x += v{v}; v{v} = x;"),
                Statement::Call(to, _) if inlined && *to % self.functions.len() >= at => {
                    writeln!(out, "x += {to};")
                }
                Statement::Call(to, number) => writeln!(out, "x += {};", self.call(*to, *number)),
                Statement::Table(number) => writeln!(out, "x += table[x % 3](x + {number});"),
                Statement::Hook(hook) => writeln!(out, "x += hook{hook}(x);"),
                Statement::Branch(a, b) => {
                    writeln!(out, "if (x & {b}) x += {a}; else {{ x ^= {a}; v0 = x; }}")
                }
                Statement::Loop(a) => {
                    writeln!(out, "for (unsigned i = 0; i < 7; i++) x = x * {} + i;", a | 1)
                }
                Statement::LocalStatic(a) => writeln!(out, "{{ static unsigned l; l = x; x += l * {a}; }}"),
                Statement::Switch(a) => {
                    let cases: String = (0..8)
                        .map(|i| format!("case {i}: x += {}; break; ", a.wrapping_mul(i * i + 7)))
                        .collect();
                    writeln!(out, "switch (x & 15) {{ {cases} default: x = x * 9 + v1; }}")
                }
                Statement::Text(a) => writeln!(out, "x += \"{a}text\"[x & 3];"),
                Statement::ThreadLocal(a) => writeln!(out, "tl = x; x += tl * {a};"),
                Statement::Struct(a) => writeln!(
                    out,
                    "{{ struct {{ unsigned a[6]; void *p; }} s = {{{{1, {a}, 3, 4, 5, 6}}, &v1}}; x += s.a[x % 6] + (s.p == &v1); }}"
                ),
                Statement::Jump(_) if inlined => writeln!(out, "x++;"),
                Statement::Jump(a) => writeln!(
                    out,
                    "{{ static const void *const to[] = {{&&a{number}, &&b{number}}}; goto *to[x & 1]; a{number}: x += {a}; b{number}: x ^= 5; }}"
                ),
                Statement::Throw(to, _) if inlined && *to % self.functions.len() >= at => {
                    writeln!(out, "x ^= {to};")
                }
                Statement::Throw(to, a) => writeln!(
                    out,
                    "try {{ x += {}; if (x & 64) throw x; if (x & 32) throw 'c'; }} catch (unsigned q) {{ x ^= q + {a}; }} catch (char q) {{ x += q; }}",
                    self.call(*to, *a)
                ),
            };
        }
        let _ = writeln!(out, "return x; }} {}", if anonymous { "}" } else { "" });
    }
}
