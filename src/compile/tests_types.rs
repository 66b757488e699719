//! What the compile stage can tell of types, initialisers and labels, asked of real files.

use std::path::Path;
use std::process::Command;

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};

use super::tests::{compiled, options};
use super::*;

const LEVELS: [OptLevel; 4] = [OptLevel::O0, OptLevel::O1, OptLevel::O2, OptLevel::O3];

/// What a compiler makes of a source text: an object, or IR with `-S -emit-llvm`.
pub(super) fn made(compiler: &str, flags: &str, text: &str) -> Vec<u8> {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let cpp = compiler.contains("++");
    let base = std::env::temp_dir().join(format!("hotslot-types-{}-{number}", std::process::id()));
    let (input, output) = (base.with_extension(if cpp { "cpp" } else { "c" }), base.with_extension("out"));
    std::fs::write(&input, text).unwrap();
    run(compiler, flags, &input, &output);
    let made = std::fs::read(&output).unwrap();
    std::fs::remove_file(&input).unwrap();
    std::fs::remove_file(&output).unwrap();
    made
}

pub(super) fn run(compiler: &str, flags: &str, input: &Path, output: &Path) {
    let mut command = Command::new(compiler);
    command.args(flags.split_whitespace()).args(["-w", "-fPIC", "-c", "-o"]).arg(output).arg(input);
    let end = command.output().unwrap();
    assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
}

/// IR as `hotslot run` has it from clang.
pub(super) fn ir(text: &str) -> String {
    ir_of("clang-19", text)
}

fn ir_of(compiler: &str, text: &str) -> String {
    String::from_utf8(made(compiler, "-O2 -Xclang -disable-llvm-passes -S -emit-llvm", text)).unwrap()
}

fn interface(ir: &str) -> Interface {
    compiled(ir, OptLevel::O2, CallForm::Slot).interface
}

fn pairs(list: &[(String, String)]) -> Vec<(&str, &str)> {
    list.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

#[test]
fn functions_have_the_types_they_are_called_with() {
    let text = "
        struct B { long a[9]; }; struct small { int a, b; };
        int proto(int, char); int open(); int never(); void untold(); int agree(); int differ();
        long print(const char *, ...); struct B big(struct B); void taken(long); double unused(double);
        void (*pointer)(long) = taken; void (*other)() = untold;
        static int local(int x) { return x * 2; }
        int defined(_Bool b, float f, struct B by, ...) {
            by = big(by);
            differ(1); differ(1.0);
            return proto(1, 'c') + open(1, 2.0) + print(\"\", 1) + by.a[1] + local(f) + agree(1) + agree(2) + b;
        }
        void *copy(void *to, void *from) { return __builtin_memcpy(to, from, 1000); }";
    for level in LEVELS {
        let found = compiled(&ir(text), level, CallForm::Slot).interface;
        let big = "{ [9 x i64] }";
        assert_eq!(found.checked, Types::Ir);
        assert_eq!(
            pairs(&found.declared),
            [
                ("agree", "i32 (i32, ?...)"),
                ("big", &format!("void (ptr sret({big}), ptr byval({big}))")),
                ("open", "i32 (i32, double, ?...)"),
                ("print", "i64 (ptr, ...)"),
                ("proto", "i32 (i32, i8)"),
                ("taken", "void (i64)"),
            ],
            "{level:?}"
        );
        assert_eq!(
            pairs(&found.defined),
            [("copy", "ptr (ptr, ptr)"), ("defined", &format!("i32 (i1, float, ptr byval({big}), ...)"))]
        );
    }
}

#[test]
fn types_passed_by_copy_are_told_by_their_members() {
    let with = |members: &str, name: &str| {
        let text = format!("struct {name} {{ {members} }}; void f(struct {name} s) {{ (void)s; }}");
        interface(&ir(&text)).type_of("f").unwrap().to_owned()
    };
    let one = with("int a[5]; char *b;", "one");
    assert_eq!(one, "void (ptr byval({ [5 x i32], ptr }))");
    assert!(compatible(&one, &with("int a[5]; char *b;", "another")));
    assert!(!compatible(&one, &with("int a[5]; long b[2];", "one")));
    // A text would be too long.
    let members = |last: &str| {
        let many: String = (0..60).map(|i| format!("long a{i}; char *b{i};")).collect();
        format!("{many} {last} c;")
    };
    let (long, same) = (with(&members("int"), "one"), with(&members("int"), "same"));
    assert!(long.contains("bytes #") && long == same, "{long}");
    assert!(!compatible(&long, &with(&members("float"), "one")));
}

#[test]
fn other_names_of_functions_have_types_too() {
    let found = interface(
        "@other = alias i64 (i64), ptr @f
         @chosen = ifunc i32 (ptr), ptr @resolver
         @kept = alias i32, ptr @v
         @v = global i32 1
         define i64 @f(i64 %x) { ret i64 %x }
         define fastcc void @quick() { ret void }
         define internal ptr @resolver() { ret ptr null }
         define { i64, %s } @pair(<4 x float> %v) { ret { i64, %s } zeroinitializer }
         %s = type { ptr, %t }
         %t = type { i8 }",
    );
    assert_eq!(
        pairs(&found.defined),
        [
            ("chosen", "i32 (ptr)"),
            ("f", "i64 (i64)"),
            ("other", "i64 (i64)"),
            ("pair", "{ i64, { ptr, { i8 } } } (<4 x float>)"),
            ("quick", "cc8 void ()"),
        ]
    );
    assert_eq!(found.variable("kept"), found.variable("v"));
}

fn variable(text: &str) -> VariableType {
    let text = format!("{text}\nint hotslot_user(void **out) {{ *out = &v; return 0; }}");
    interface(&ir(&text)).variable("v").unwrap().clone()
}

#[test]
fn initial_values_do_not_change_what_a_variable_is() {
    let structs = "struct p { char c; int i; char b[12]; union { int n; double d; } u; };";
    for (one, other) in [
        ("int v[100];", "int v[100] = {1, 2};"),
        ("char v[100];", "char v[100] = \"text\";"),
        ("struct p v;", "struct p v = {1, 2, \"ab\", {3}};"),
        ("struct p v[2000];", "struct p v[2000] = {{1, 2}};"),
        ("struct p v = {1, 2, \"ab\", {.d = 3}};", "struct p v = {1, 2, \"ab\", {3}};"),
        ("union { int i; double d; } v;", "union { int i; double d; } v = {1};"),
        ("struct { int a; struct p p[3]; } v;", "struct { int a; struct p p[3]; } v = {1, {{1}, {1}}};"),
        (
            "struct { char *s; int n; } v[5000];",
            "struct { char *s; int n; } v[5000] = {{\"a\", 1}, {\"b\", 2}};",
        ),
        ("int v[2][50];", "int v[100];"),
        ("static struct p *v;", "struct p *v;"),
    ] {
        let (one, other) = (variable(&format!("{structs}{one}")), variable(&format!("{structs}{other}")));
        assert_eq!(one.fits(&other), Some(true), "{one:?}\n{other:?}");
        assert_eq!(other.fits(&one), Some(true));
    }
}

#[test]
fn another_layout_does_not_fit() {
    for (one, other) in [
        ("int v;", "float v;"),
        ("int v;", "long v;"),
        ("long v;", "char *v;"),
        ("int v[4];", "int v[5];"),
        ("int v[4];", "long v[2];"),
        ("struct { int a; float b; } v;", "struct { float b; int a; } v;"),
        ("struct { char a; int b; } v;", "struct { char a, n; int b; } v;"),
        ("struct { char *s; int n; } v[5000];", "struct { int n; char *s; } v[5000];"),
    ] {
        let (one, other) = (variable(one), variable(other));
        assert_eq!(one.fits(&other), Some(false), "{one:?}\n{other:?}");
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert!(one.fingerprint() != 0 && one.text != other.text, "{one:?} {other:?}");
    }
}

#[test]
fn variables_of_every_kind_are_listed() {
    let text = "int shared; static int own = 1; static const int fixed[3] = {1, 2, 3}; _Thread_local long each;
        const int named = 4; extern int far; __attribute__((weak)) int weak;
        const int *f(int i) { static double inner = 1; inner += i + own++ + far; return inner > 2 ? fixed : 0; }";
    let found = interface(&ir(text));
    let names: Vec<_> =
        found.variables.iter().map(|(name, kind)| (name.as_str(), kind.text.as_str())).collect();
    assert_eq!(
        names,
        [("each", "i64"), ("f.inner", "double"), ("own", "i32"), ("shared", "i32"), ("weak", "i32")]
    );
}

#[test]
fn debug_information_tells_members_of_one_layout_apart() {
    let with = |text: &str| {
        let flags = "-g -O2 -Xclang -disable-llvm-passes -S -emit-llvm";
        let ir = String::from_utf8(made("clang-19", flags, text)).unwrap();
        interface(&ir).variable("v").unwrap().clone()
    };
    let one = with("struct s { int a; int b; } v;");
    assert_eq!(one.fits(&with("struct t { int a; unsigned b; } v = {1};")), Some(true));
    assert_eq!(one.fits(&with("struct s { int b; int a; } v;")), Some(false));
    assert_eq!(one.fits(&variable("struct s { int b; int a; } v;")), Some(true), "unknown without");
    assert_eq!(one.text, "struct s { int a; int b; }");
}

const CPP: &str = "
    int next(); void side(const char *);
    struct P { int a; P(int); ~P(); };
    int counted = next();
    static int own = next() + 1;
    P object(1);
    P list[3] = {1, 2, 3};
    const P &lasting = P(4);
    template <class T> struct Of { static P one; };
    template <class T> P Of<T>::one(3);
    template struct Of<int>;
    inline P everywhere(5);
    __attribute__((constructor)) void first() { side(\"c\"); }
    P early __attribute__((init_priority(200)))(9);
    thread_local P each(7);
    int folded = 3 + 4;
    int *use() { own += each.a; return &own; }";

#[test]
fn each_variable_has_an_initialiser_of_its_own() {
    for level in LEVELS {
        let compiled = compiled(&ir_of("clang++-19", CPP), level, CallForm::Slot);
        let mut variables: Vec<Vec<&str>> = Vec::new();
        for (name, of) in &compiled.interface.initialisers {
            assert!(name.starts_with("__cxx_global_var_init") || of.is_empty(), "{name} {of:?}");
            variables.push(of.iter().map(String::as_str).collect());
        }
        // By priority, then as in the source, with those that other modules may have too first.
        assert_eq!(variables[0], ["early"]);
        let rest = &variables[1..];
        for of in [
            vec!["counted"],
            vec!["_ZL3own"],
            vec!["object"],
            vec!["list"],
            vec!["_ZGR7lasting_", "lasting"],
            vec!["_ZGVN2OfIiE3oneE", "_ZN2OfIiE3oneE"],
            vec!["_ZGV10everywhere", "everywhere"],
            vec![],
        ] {
            assert_eq!(
                rest.iter().filter(|other| **other == of).count(),
                1,
                "{level:?} {of:?} in {variables:?}"
            );
        }
        assert_eq!(variables.len(), 9);
        let order = |of: &str| rest.iter().position(|other| other.contains(&of)).unwrap();
        assert!(order("counted") < order("_ZL3own") && order("list") < order("lasting"));
        // In the object each is a word that leads to the start of the function named.
        let file: ElfFile64<'_> = ElfFile64::parse(&*compiled.object).unwrap();
        let mut run = Vec::new();
        for section in file.sections().filter(|s| s.name().unwrap().starts_with(".ctors")) {
            for (_, relocation) in section.relocations() {
                let RelocationTarget::Symbol(symbol) = relocation.target() else { panic!("{relocation:?}") };
                let symbol = file.symbol_by_index(symbol).unwrap();
                let place = (symbol.section_index(), symbol.address() + relocation.addend() as u64);
                let at =
                    |s: &object::read::elf::ElfSymbol64<'_, '_>| (s.section_index(), s.address()) == place;
                let named = file.symbols().find(|s| at(s) && s.kind() == object::SymbolKind::Text).unwrap();
                run.push(named.name().unwrap().to_owned());
            }
        }
        let mut listed: Vec<_> =
            compiled.interface.initialisers.iter().map(|(name, _)| name.clone()).collect();
        run.sort();
        listed.sort();
        assert_eq!(run, listed, "{level:?}");
    }
}

#[test]
fn lists_of_initialisers_that_are_not_clangs_stay() {
    let ir = "
        @x = global i32 0
        @y = internal global [2 x i32] zeroinitializer
        @llvm.global_ctors = appending global [4 x { i32, ptr, ptr }] [
          { i32, ptr, ptr } { i32 65535, ptr @_GLOBAL__sub_I_a.cpp, ptr null },
          { i32, ptr, ptr } { i32 7, ptr @mine, ptr null },
          { i32, ptr, ptr } { i32 65535, ptr @twice, ptr null },
          { i32, ptr, ptr } { i32 65535, ptr @outside, ptr @x }]
        declare i32 @next()
        declare void @outside()
        define internal void @mine() { call void @outside() store i32 1, ptr @x ret void }
        define internal void @_GLOBAL__sub_I_a.cpp() {
          %a = call i32 @next()
          store i32 %a, ptr @x
          %b = call i32 @next()
          store i32 %b, ptr getelementptr ([2 x i32], ptr @y, i32 0, i32 1)
          ret void }
        define internal void @__cxx_global_var_init() { call void @outside() ret void }
        define internal void @twice() {
          call void @__cxx_global_var_init()
          call void @__cxx_global_var_init()
          ret void }
        define ptr @user() { call void @outside() ret ptr @y }";
    for level in LEVELS {
        let found = compiled(ir, level, CallForm::Slot).interface.initialisers;
        let found: Vec<_> = found.iter().map(|(name, of)| (name.as_str(), of.join(" "))).collect();
        let expected = [("mine", ""), ("_GLOBAL__sub_I_a.cpp", "x y"), ("twice", ""), ("outside", "x")];
        assert_eq!(found, expected.map(|(name, of)| (name, of.to_owned())), "{level:?}");
    }
    for list in [
        "@llvm.global_ctors = appending global [0 x { i32, ptr, ptr }] zeroinitializer",
        "@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] zeroinitializer",
        "",
    ] {
        assert!(compile(&Source::ir(list), &options(OptLevel::O0, CallForm::Slot)).is_ok(), "{list}");
    }
}

/// The IR of one file of Lua: its interpreter, which jumps by a table of labels.
fn lua_interpreter() -> String {
    let metadata = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let lua = packages.iter().find(|package| package["name"] == "lua-src").unwrap();
    let root = Path::new(lua["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
    let versions = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let file =
        versions.filter(|dir| dir.join("ljumptab.h").exists()).map(|dir| dir.join("lvm.c")).next().unwrap();
    let output = std::env::temp_dir().join(format!("hotslot-lvm-{}.ll", std::process::id()));
    run("clang-19", "-O2 -Xclang -disable-llvm-passes -S -emit-llvm", &file, &output);
    let ir = std::fs::read_to_string(&output).unwrap();
    std::fs::remove_file(&output).unwrap();
    assert!(ir.contains("blockaddress("));
    ir
}

#[test]
fn labels_stay_in_a_real_interpreter() {
    let ir = lua_interpreter();
    for level in LEVELS {
        assert!(compiled(&ir, level, CallForm::Slot).interface.labels_stay, "{level:?}");
    }
}

#[test]
fn labels_that_may_get_out_are_found() {
    let run = |table: &str, body: &str| {
        format!(
            "extern void out(void *), copy(void **); void *kept; static void *last;
             int f(int n, void **to) {{
                 {table} void *next; int sum = 0;
                 {body}
                 a: sum += n; if (n-- > 0) goto *table[n % 2]; return sum;
                 b: sum *= n; if (n-- > 3) goto *table[n % 3 % 2]; return sum; }}"
        )
    };
    let fixed = "static void *const table[] = {&&a, &&b};";
    for (table, body, stay) in [
        (fixed, "next = table[n & 1]; goto *next;", true),
        (fixed, "goto *(n > 7 ? &&a : table[1]);", true),
        (fixed, "for (int i = 0; i < n; i++) next = table[i & 1]; goto *next;", true),
        ("void *table[] = {&&a, &&b};", "goto *table[n & 1];", true),
        (fixed, "*to = table[n & 1]; goto *table[1];", false),
        (fixed, "kept = &&a; goto *table[1];", false),
        (fixed, "out(&&b); goto *table[1];", false),
        (fixed, "copy((void **)table); goto *table[1];", false),
        (fixed, "if (n == 5) return (long)&&a; goto *table[1];", false),
        ("static void *table[] = {&&a, &&b};", "table[n & 1] = to; goto *table[1];", false),
        ("void *table[] = {&&a, &&b};", "copy(table); goto *table[1];", false),
        (fixed, "last = table[n & 1]; out(0); goto *last;", false),
    ] {
        let ir = ir(&run(table, body));
        assert!(ir.contains("blockaddress("));
        for level in LEVELS {
            let found = compiled(&ir, level, CallForm::Slot).interface.labels_stay;
            // What optimisation leaves of a table that is written may be better than known.
            assert_eq!(found, stay, "{level:?} {table} {body}");
        }
    }
    let distances = "
        int f(int n) {
            static const int table[] = {&&a - &&a, &&b - &&a};
            goto *(&&a + table[n & 1]);
            a: return 1; b: return n; }";
    for level in LEVELS {
        assert!(compiled(&ir(distances), level, CallForm::Slot).interface.labels_stay, "{level:?}");
        assert!(compiled("define void @f() { ret void }", level, CallForm::Slot).interface.labels_stay);
        let shared = ir(&run(fixed, "goto *table[1];")).replace("f.table = internal", "f.table =");
        assert!(
            !compiled(&shared, level, CallForm::Slot).interface.labels_stay,
            "another module may read it"
        );
    }
}
