//! The description of one item of the linker list: which fixture, how it is compiled and run,
//! and how it must end. Plain data; `check.rs` carries it out.

/// Flag variants of position-independent code, as both compilers understand them.
pub const PIC: Variants = &[&["-O0", "-fPIC"], &["-O2", "-fPIC"], &["-O2", "-fPIC", "-fno-plt"]];
/// One variant, where the flags of code generation are not the point.
pub const PLAIN: Variants = &[&["-O2", "-fPIC"]];

/// A list of flag lists; the fixture is compiled and run once with each.
pub type Variants = &'static [&'static [&'static str]];

/// What a source file becomes before it is given to hotslot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A relocatable object.
    Object,
    /// LLVM bitcode.
    Bitcode,
    /// LLVM IR as text.
    Text,
    /// The file itself: hotslot calls the compiler.
    Source,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By `exit` or a return from `main`, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What hotslot must do with the program.
#[derive(Clone, Copy)]
pub enum Expect {
    /// The same output and end as the native program.
    Native,
    /// An error that has all these words; nothing of the program runs.
    Error(&'static [&'static str]),
    /// Either: the code is valid only where the addresses happen to be in range.
    NativeOrError(&'static [&'static str]),
}

/// One item. Built by chaining, so that the table names only what is special.
#[derive(Clone, Copy)]
pub struct Item {
    pub dir: &'static str,
    /// Source files in link order; empty means all files of the directory, sorted by name.
    pub files: &'static [&'static str],
    pub variants: Variants,
    /// Flags added to every variant.
    pub also: &'static [&'static str],
    /// Flags of the native link only.
    pub native_link: &'static [&'static str],
    pub libs: &'static [&'static str],
    pub hotslot: &'static [&'static str],
    pub args: &'static [&'static str],
    pub stdin: &'static str,
    pub env: &'static [(&'static str, &'static str)],
    /// Source files that go into an archive, after the other files.
    pub archived: &'static [&'static str],
    /// Forms of the files in turn; empty means the family's own.
    pub forms: &'static [Form],
    pub same_argv0: bool,
    /// How the native program must end: guards against a fixture that tests nothing.
    pub end: End,
    pub expect: Expect,
}

impl Item {
    /// All files of `dir`, in every PIC variant, ending with code 0 as natively.
    pub const fn new(dir: &'static str) -> Item {
        Item {
            dir,
            files: &[],
            variants: PIC,
            also: &[],
            native_link: &[],
            libs: &[],
            hotslot: &[],
            args: &[],
            stdin: "",
            env: &[],
            archived: &[],
            forms: &[],
            same_argv0: false,
            end: End::Code(0),
            expect: Expect::Native,
        }
    }
    pub const fn files(mut self, files: &'static [&'static str]) -> Item {
        self.files = files;
        self
    }
    pub const fn variants(mut self, variants: Variants) -> Item {
        self.variants = variants;
        self
    }
    pub const fn also(mut self, flags: &'static [&'static str]) -> Item {
        self.also = flags;
        self
    }
    pub const fn native_link(mut self, flags: &'static [&'static str]) -> Item {
        self.native_link = flags;
        self
    }
    pub const fn libs(mut self, libs: &'static [&'static str]) -> Item {
        self.libs = libs;
        self
    }
    pub const fn hotslot(mut self, options: &'static [&'static str]) -> Item {
        self.hotslot = options;
        self
    }
    pub const fn args(mut self, args: &'static [&'static str]) -> Item {
        self.args = args;
        self
    }
    pub const fn stdin(mut self, text: &'static str) -> Item {
        self.stdin = text;
        self
    }
    pub const fn env(mut self, env: &'static [(&'static str, &'static str)]) -> Item {
        self.env = env;
        self
    }
    pub const fn archived(mut self, files: &'static [&'static str]) -> Item {
        self.archived = files;
        self
    }
    pub const fn forms(mut self, forms: &'static [Form]) -> Item {
        self.forms = forms;
        self
    }
    pub const fn same_argv0(mut self) -> Item {
        self.same_argv0 = true;
        self
    }
    pub const fn code(mut self, code: i32) -> Item {
        self.end = End::Code(code);
        self
    }
    pub const fn signal(mut self, signal: i32) -> Item {
        self.end = End::Signal(signal);
        self
    }
    pub const fn error(mut self, words: &'static [&'static str]) -> Item {
        self.expect = Expect::Error(words);
        self
    }
    pub const fn or_error(mut self, words: &'static [&'static str]) -> Item {
        self.expect = Expect::NativeOrError(words);
        self
    }
}

/// A compiler family: which drivers, and what the files become.
#[derive(Clone, Copy)]
pub struct Family {
    pub name: &'static str,
    pub cc: &'static str,
    pub cxx: &'static str,
    pub forms: &'static [Form],
    /// Replaces the item's variants; the item's own flags stay.
    pub variants: Option<Variants>,
}

pub const CLANG: Family =
    Family { name: "clang", cc: "clang-19", cxx: "clang++-19", forms: &[Form::Object], variants: None };
pub const GCC: Family = Family { name: "gcc", cc: "gcc", cxx: "g++", forms: &[Form::Object], variants: None };
/// What clang makes when nobody says anything: position-independent executables with
/// `dso_local` names. Bitcode and text in turn.
pub const IR: Family = Family {
    name: "ir",
    forms: &[Form::Bitcode, Form::Text],
    variants: Some(&[&["-O2"], &["-O0"]]),
    ..CLANG
};
