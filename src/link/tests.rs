//! What becomes of objects of real compilers: which constants are shared, which code is
//! kept, what is told of functions and variables.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runtime_stubs::Arch;

use super::*;
use crate::error::Result;
use crate::memory::Arena;
use crate::table::{Slots, SymbolId, Symbols, Target};

const CLANG: &str = "clang-19";
const GCC: &str = "gcc";

pub(super) fn compile(source: &str, compiler: &str, flags: &[&str]) -> Vec<u8> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let out = std::env::temp_dir().join(format!("hotslot-link-{}-{number}.o", std::process::id()));
    let from: PathBuf = out.with_extension(if compiler.contains("++") { "cc" } else { "c" });
    std::fs::write(&from, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-w", "-c"]).args(flags).arg(&from).arg("-o").arg(&out);
    assert!(command.status().expect("the compiler is installed").success());
    let bytes = std::fs::read(&out).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::fs::remove_file(&out).unwrap();
    bytes
}

/// A table, and what has been linked against it.
struct World {
    arena: Arc<Arena>,
    symbols: Symbols,
    constants: Constants,
    types: HashMap<&'static str, u64>,
    labels_stay: bool,
    defined: HashMap<SymbolId, Target>,
}

struct Linked {
    image: Image,
    misfits: Vec<Misfit>,
    fresh: Vec<Box<str>>,
}

struct Earlier<'w>(&'w World, Option<&'w Image>);

impl Kept for Earlier<'_> {
    fn storage(&self, key: &StorageKey) -> Option<Arc<Storage>> {
        let stored = self.1?.storages.iter().find(|stored| stored.key == *key)?;
        Some(stored.storage.clone())
    }
    fn earlier(&self) -> Option<&[Stored]> {
        self.1.map(|image| &*image.storages)
    }
    fn common(&self, _: SymbolId) -> (u64, u64) {
        (0, 0)
    }
    fn thread_locals(&self) -> Option<&ThreadLocals> {
        self.1?.thread_locals.as_ref()
    }
    fn fingerprint(&self, name: &str) -> u64 {
        self.0.types.get(name).copied().unwrap_or(0)
    }
    fn labels_stay(&self) -> bool {
        self.0.labels_stay
    }
}

impl Resolve for World {
    fn expose(&mut self, _: SymbolId) {}

    fn is_own(&self, _id: SymbolId) -> bool {
        false
    }

    fn target(&mut self, id: SymbolId) -> Option<Target> {
        self.defined.get(&id).copied()
    }
    fn local_function(&mut self, name: &str, ordinal: u32, _: u64, _: bool) -> Result<SymbolId> {
        Ok(self.symbols.intern(&format!("{name}\0m\0{ordinal}"))?.0)
    }
    fn foreign_thread_local(&mut self, _: SymbolId) -> Option<u64> {
        None
    }
    fn foreign_thread_offset(&mut self, _: SymbolId) -> Option<u64> {
        None
    }
    fn size(&mut self, _: SymbolId) -> Option<u64> {
        None
    }
    fn pair(&mut self, id: SymbolId) -> Result<u64> {
        let pair = self.symbols.pair(id)?;
        Ok(self.symbols.slots.pair(pair))
    }
    fn refer(&mut self, _: SymbolId, _: bool, _: bool) {}
    fn wait(&mut self, _: SymbolId, _: u64, _: u64, _: Option<Arc<dyn Send + Sync>>) {}
    fn constant(&self, key: Key) -> Option<Arc<Constant>> {
        self.constants.find(key, &self.arena)
    }
}

impl World {
    fn new() -> Self {
        let arena = Arena::new(Arch::X86_64, 64 << 20).unwrap();
        Self {
            symbols: Symbols::new(Slots::new(arena.clone())),
            arena,
            constants: Constants::default(),
            types: HashMap::new(),
            labels_stay: false,
            defined: HashMap::new(),
        }
    }

    fn link(&mut self, bytes: &[u8], earlier: Option<&Image>) -> Linked {
        let object = Object::parse(bytes).unwrap();
        let mut ids = Vec::new();
        for symbol in &object.symbols {
            let global = symbol.binding != Binding::Local && !symbol.name.is_empty();
            ids.push(global.then(|| self.symbols.intern(symbol.name).unwrap().0));
        }
        let needs = survey(&object).unwrap();
        let arena = self.arena.clone();
        let mut placement =
            place(object, 0, &needs, &ids, &arena, &Earlier(self, earlier), !needs.static_tls.is_empty())
                .unwrap();
        for definition in placement.definitions(&ids) {
            self.defined.insert(definition.id, definition.target);
        }
        let mut units = [Unit { placement: &mut placement, ids: &ids, name: "m" }];
        let moves = intern(&mut units, &arena, self).unwrap();
        for target in self.defined.values_mut() {
            *target = moves.settle(*target);
        }
        let misfits = std::mem::take(&mut placement.misfits);
        let fresh = std::mem::take(&mut placement.fresh_variables);
        let layout = *self.symbols.slots.layout();
        let image = link(placement, &ids, &layout, self, false, None).unwrap().image;
        for (key, constant) in &image.interned {
            self.constants.admit(*key, constant);
        }
        Linked { image, misfits, fresh }
    }

    fn keeps(&mut self, source: &str, compiler: &str, flags: &[&str]) -> Option<Keeps> {
        self.link(&compile(source, compiler, flags), None).image.keeps
    }

    fn address(&self, name: &str) -> u64 {
        match self.defined[&self.symbols.find(name).unwrap()] {
            Target::Data(address) => address,
            other => panic!("{name} is {other:?}"),
        }
    }
}

fn within(image: &Image, address: u64) -> bool {
    let block = image.constants.as_ref();
    block.is_some_and(|block| address.wrapping_sub(block.address()) < block.len() as u64)
}

const MIXED: &str =
    "int g(int); const int squares[] = {0,1,4,9,16,25}; const char *const names[] = {\"a\", \"bc\"};
    int pick(int x) { switch (x) { case 0: return g(3); case 1: return g(9); case 2: return g(1) + 4;
    case 3: return g(8) * 3; case 4: return g(77); case 5: return 2; case 6: return g(5) - 1; } return 0; }
    const char *lit(void) { return \"literal\"; } static int own(int x) { return x; }
    int (*const table[])(int) = { own, g };";

const PIC: &[&[&str]] =
    &[&["-O0", "-fPIC"], &["-O2", "-fPIC"], &["-O2", "-fPIC", "-ffunction-sections", "-fdata-sections"]];

#[test]
fn constants_are_shared_and_tables_for_switch_are_not() {
    for compiler in [CLANG, GCC] {
        for &flags in PIC {
            let mut world = World::new();
            let bytes = compile(MIXED, compiler, flags);
            let first = world.link(&bytes, None).image;
            let squares = world.address("squares");
            assert!(!within(&first, squares) && !within(&first, world.address("names")));
            let names = world.address("table");
            assert!(!within(&first, names), "{compiler} {flags:?}");
            assert_eq!(first.keeps, None, "{compiler} {flags:?}");
            assert_eq!(world.arena.read(squares + 8, 4), [4, 0, 0, 0]);
            let (count, size) = world.constants.extent();
            let again = world.link(&bytes, Some(&first)).image;
            assert_eq!(world.address("squares"), squares);
            assert_eq!(world.constants.extent(), (count, size), "{compiler} {flags:?}");
            assert_eq!(again.interned.len(), first.interned.len());
            // Another constant in one of them: a new one, and the others stay.
            let other = compile(&MIXED.replace("16,25", "16,26"), compiler, flags);
            world.link(&other, Some(&first));
            assert_ne!(world.address("squares"), squares);
            // Strings may share a section with it, and then what points to them is new too.
            let new = world.constants.extent().0 - count;
            assert!(new == 1 || new == 2 && flags == PIC[0], "{new} {compiler} {flags:?}");
        }
    }
}

#[test]
fn code_that_only_changed_its_code_makes_no_new_constants() {
    for compiler in [CLANG, GCC] {
        for &flags in PIC {
            let mut world = World::new();
            let first = world.link(&compile(MIXED, compiler, flags), None).image;
            let before = world.constants.extent();
            // The entries of the table for `switch` are all different now.
            let changed = compile(
                &MIXED.replace("int g(int);", "int g(int); int p(int x) { return g(g(x)) + 1; }"),
                compiler,
                flags,
            );
            let second = world.link(&changed, Some(&first)).image;
            assert_eq!(world.constants.extent(), before, "{compiler} {flags:?}");
            let changes = second.functions.changes(&[&first.functions]);
            assert_eq!(changes.new, ["p"]);
            assert!(changes.unchanged.contains(&"lit") && changes.unchanged.contains(&"pick"), "{changes:?}");
            assert!(
                changes.changed.is_empty() && changes.removed.is_empty(),
                "{compiler} {flags:?} {changes:?}"
            );
        }
    }
}

#[test]
fn constants_in_a_circle_are_found_again() {
    let source = "struct n { const struct n *next; int v; }; extern const struct n b;
        const struct n a = { &b, 1 }; const struct n b = { &a, 2 }; const struct n *const start = &b;";
    let bytes = compile(source, CLANG, &["-O1", "-fPIC", "-fdata-sections"]);
    let mut world = World::new();
    let first = world.link(&bytes, None).image;
    let (a, b) = (world.address("a"), world.address("b"));
    assert_eq!(world.arena.read(a, 8), b.to_le_bytes());
    assert_eq!(world.arena.read(b, 8), a.to_le_bytes());
    let before = world.constants.extent();
    world.link(&bytes, Some(&first));
    assert_eq!((world.address("a"), world.constants.extent()), (a, before));
}

#[test]
fn a_circle_of_which_one_word_has_been_filled_is_made_anew() {
    let source = "extern int late; struct n { const struct n *next; int *v; }; extern const struct n b;
        const struct n a = { &b, &late }; const struct n b = { &a, 0 };";
    let bytes = compile(source, CLANG, &["-O1", "-fPIC", "-fdata-sections"]);
    let mut world = World::new();
    let first = world.link(&bytes, None).image;
    let (a, b) = (world.address("a"), world.address("b"));
    // Somebody defines `late`.
    world.arena.store(a + 8, 0x5000, std::sync::atomic::Ordering::Relaxed);
    world.link(&bytes, Some(&first));
    let (new_a, new_b) = (world.address("a"), world.address("b"));
    assert!(new_a != a && new_b != b);
    assert_eq!(world.arena.read(new_a, 8), new_b.to_le_bytes());
    assert_eq!(world.arena.read(new_b, 8), new_a.to_le_bytes());
    assert_eq!(world.arena.read(new_a + 8, 8), [0; 8]);
}

#[test]
fn a_table_of_relative_words_that_has_a_name_keeps_its_code() {
    let table =
        "__asm__(\".section .rodata\\n.globl t\\n.type t, @object\\n.size t, 8\\nt: .long f - t, .Lx - t\\n\"
        \".text\\n.type f, @function\\nf: nop\\n.Lx: ret\\n.size f, . - f\");";
    assert_eq!(World::new().keeps(table, GCC, &[]), Some(Keeps::Constants));
    let unnamed = table
        .replace(".type t, @object\\n.size t, 8\\n", "")
        .replace(".globl t\\n", "")
        .replace("t:", ".Lt:");
    assert_eq!(World::new().keeps(&unnamed.replace("- t", "- .Lt"), GCC, &[]), None);
}

#[test]
fn code_whose_addresses_may_be_anywhere_is_kept() {
    let mut world = World::new();
    let goto_ = "int run(const unsigned char *p) { static const void *const l[] = {&&a, &&b, &&c}; int n = 0;
        goto *l[*p++]; a: n += 3; goto *l[*p++]; b: n *= 2; goto *l[*p++]; c: return n; }";
    let switching = "__asm__(\".globl sw\\nsw: mov %rsp, (%rdi)\\nmov (%rsi), %rsp\\nret\");";
    let callback = "static int f(void) { return 1; } int (*get(void))(void) { return f; }";
    for compiler in [CLANG, GCC] {
        for &flags in PIC {
            assert_eq!(world.keeps(goto_, compiler, flags), Some(Keeps::Labels), "{compiler} {flags:?}");
            assert_eq!(world.keeps(switching, compiler, flags), Some(Keeps::Stacks), "{compiler}");
            assert_eq!(world.keeps(MIXED, compiler, flags), None, "{compiler} {flags:?}");
            // Without a section of its own the function's address has no relocation.
            assert_eq!(world.keeps(callback, compiler, flags), None, "{compiler} {flags:?}");
            let label = "void g(int); void *p; void put(int x) { g(0); if (x > 9) goto *p; p = x ? &&a : &&b; a: g(1); b: g(2); }";
            assert_eq!(world.keeps(label, compiler, flags), Some(Keeps::Labels), "{compiler} {flags:?}");
            let data =
                "int f(int x) { static void *at[2] = {&&a, &&b}; goto *at[x]; a: return 1; b: return 2; }";
            assert_eq!(world.keeps(data, compiler, flags), Some(Keeps::Labels), "{compiler} {flags:?}");
        }
    }
    world.labels_stay = true;
    assert_eq!(world.keeps(goto_, CLANG, &["-O2", "-fPIC", "-fdata-sections"]), None);
}

#[test]
fn coroutines_are_kept_and_their_frames_hold_bodies() {
    let source = "#include <coroutine>
        struct task { struct promise_type { task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() { return {}; } std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {} void unhandled_exception() {} }; std::coroutine_handle<promise_type> h; };
        extern int n; task count() { for (;;) { ++n; co_await std::suspend_always{}; } }";
    for (compiler, flags) in [
        ("clang++-19", ["-std=c++20", "-O0", "-fPIC"]),
        ("clang++-19", ["-std=c++20", "-O2", "-fPIC"]),
        ("g++", ["-std=c++20", "-O2", "-fPIC"]),
    ] {
        let mut world = World::new();
        let bytes = compile(source, compiler, &flags);
        let linked = world.link(&bytes, None);
        assert_eq!(linked.image.keeps, Some(Keeps::Coroutines), "{compiler} {flags:?}");
        let parts =
            world.symbols.iter().filter(|(_, s)| s.name.contains(".resume\0") || s.name.contains(".actor\0"));
        assert_eq!(parts.count(), 0, "{compiler} {flags:?}");
    }
}

#[test]
fn variables_that_no_longer_fit_are_listed() {
    let flags: &[&str] = &["-O1", "-fPIC", "-fdata-sections", "-fno-common"];
    let mut world = World::new();
    world.types.extend([("typed", 1), ("same", 5)]);
    let old = "int grown = 1; int typed = 2; int same = 3; static int s; int *u(void) { return &s; } int gone = 4; __thread int t;";
    let first = world.link(&compile(old, CLANG, flags), None);
    assert!(first.misfits.is_empty() && first.fresh.is_empty());
    world.types.insert("typed", 2);
    let new = "long grown = 1; int typed = 2; int same = 7; static int s; int *u(void) { return &s; } int added = 4; __thread long t;";
    let second = world.link(&compile(new, CLANG, flags), Some(&first.image));
    let mut misfits: Vec<_> = second.misfits.iter().map(|m| (m.names.join(","), m.why)).collect();
    misfits.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [("grown", Unfit::Size), ("t", Unfit::Size), ("typed", Unfit::Type)];
    assert_eq!(misfits, expected.map(|(name, why)| (name.to_owned(), why)));
    assert_eq!(second.fresh.iter().map(|n| &**n).collect::<Vec<_>>(), ["added"]);
    let initial = |image: &Image, name: &str| {
        let key = StorageKey::Variable(name.into());
        image.storages.iter().find(|s| s.key == key).map(|s| s.initial).unwrap()
    };
    assert_ne!(initial(&first.image, "same"), initial(&second.image, "same"));
    assert_eq!(initial(&first.image, "typed"), initial(&second.image, "typed"));
}

#[test]
fn a_variable_that_gets_company_in_its_section_is_not_lost() {
    let flags: &[&str] = &["-O1", "-fPIC", "-fno-data-sections", "-fno-common"];
    let mut world = World::new();
    let first = world.link(&compile("int a = 1;", CLANG, flags), None);
    let second = world.link(&compile("int a = 1; int b = 2;", CLANG, flags), Some(&first.image));
    assert_eq!(second.misfits.len(), 1);
    assert_eq!(second.misfits[0].why, Unfit::Layout);
    assert!(second.fresh.is_empty());
    let Replaced::Storage { old, .. } = &second.misfits[0].storage else { panic!() };
    assert!(Arc::ptr_eq(old, &first.image.storages[0].storage));
}

#[test]
fn a_static_variable_with_another_number_is_the_same() {
    let flags: &[&str] = &["-O1", "-fPIC", "-fdata-sections"];
    let mut world = World::new();
    let before = "int f(void) { static int count = 1; return ++count; }";
    let after = "int e(void) { static int other = 5; return ++other; } int f(void) { static int count = 1; return ++count; }";
    let first = world.link(&compile(before, GCC, flags), None);
    let second = world.link(&compile(after, GCC, flags), Some(&first.image));
    assert!(second.misfits.is_empty());
    assert_eq!(second.fresh.len(), 1);
    let old = &first.image.storages[0].storage;
    assert!(second.image.storages.iter().any(|stored| Arc::ptr_eq(&stored.storage, old)));
}

#[test]
fn functions_are_compared_by_what_they_do() {
    for flags in [["-O2", "-fPIC"], ["-O1", "-fPIC"]] {
        let source = "int e(int); int grows(int x) { return e(x) GROWN; } const char *says(void) { return \"TEXT\"; }
            int same(int x) { return e(x) * 2; } double half(double x) { return x * 0.5; } int gone(void) { return 1; }";
        let build =
            |grown, text| compile(&source.replace("GROWN", grown).replace("TEXT", text), CLANG, &flags);
        let mut world = World::new();
        let first = world.link(&build("", "x"), None).image;
        let second = build("+ e(x + 1)", "y");
        let second = world.link(&second, Some(&first)).image;
        let changes = second.functions.changes(&[&first.functions]);
        assert_eq!(changes.changed, ["grows", "says"]);
        assert_eq!(changes.unchanged, ["same", "half", "gone"]);
        for (name, start, length) in second.functions.iter() {
            assert_eq!(second.functions.at(start), Some((name, 0)));
            assert_eq!(second.functions.at(start + length - 1), Some((name, length - 1)));
        }
        assert_eq!(second.functions.at(0), None);
    }
}

#[test]
fn initialisers_have_names_and_baked_addresses_are_listed() {
    let mut world = World::new();
    let source = "extern int other; int *const p = &other; int *q = &other; __attribute__((constructor(200))) static void up(void) { void g(void); g(); }
        __attribute__((destructor)) void down(void) {}";
    let id = world.symbols.intern("other").unwrap().0;
    world.defined.insert(id, Target::Data(0x5000));
    let image = world.link(&compile(source, CLANG, &["-O1", "-fPIC"]), None).image;
    let named = |list: &[Initialiser]| list.iter().map(|i| (i.priority, i.name.clone())).collect::<Vec<_>>();
    assert_eq!(named(&image.init), [(200, Some("up".into()))]);
    assert_eq!(named(&image.fini), [(65536, Some("down".into()))]);
    assert_eq!(image.baked, [id]);
}

#[test]
fn ordinary_code_with_exceptions_and_cold_parts_is_not_kept() {
    let source = "extern int e(int); [[noreturn]] void fail(int) __attribute__((cold)); struct g { ~g(); };
        int f(int x) { g guard; try { if (x > 3) fail(x); switch (x) { case 0: return e(1); case 1: return e(7); case 2: return e(4);
        case 3: return e(9) + 1; } } catch (int i) { return i; } catch (...) { fail(2); } return e(2); }
        int *table(int n) { int room[n]; e((int)(long)room); static int t[4]; return t; }";
    for compiler in ["clang++-19", "g++"] {
        for flags in PIC {
            let mut world = World::new();
            assert_eq!(world.keeps(source, compiler, flags), None, "{compiler} {flags:?}");
        }
    }
}
