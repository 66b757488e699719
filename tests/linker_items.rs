//! Small black-box tests, one for each item of what the linker supports.
//!
//! A fixture of one to three source files under `tests/items/<name>/` is compiled with clang and
//! gcc in several flag variants, linked natively for the expected output and end, and given to
//! `hotslot run` with `--calls slot` and `--calls stub`: as objects (tests `clang` and `gcc`) and
//! as clang's default bitcode and textual IR in turn (test `ir`).
//!
//! `HOTSLOT_TEST_SELF=1` checks the fixtures with no hotslot: a second native link runs instead.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[path = "items/check.rs"]
mod check;
#[path = "items/elf_edit.rs"]
mod elf_edit;
#[path = "items/item.rs"]
mod item;
#[path = "items/outcome.rs"]
mod outcome;

use check::{Build, check};
use item::{CLANG, End, Form, GCC, IR, Item, PLAIN, Variants};

/// `name: families = item;` makes the tests `name::clang`, `name::gcc`, `name::ir`.
macro_rules! items {
    ($($name:ident: $($family:ident)+ = $item:expr;)+) => {
        $(mod $name {
            use super::*;
            $(#[test]
            fn $family() {
                const ITEM: Item = $item;
                check(&ITEM, family!($family));
            })+
        })+
    };
}
macro_rules! family {
    (clang) => {
        &CLANG
    };
    (gcc) => {
        &GCC
    };
    (ir) => {
        &IR
    };
}

const SIGILL: i32 = 4;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGTERM: i32 = 15;

const LEVELS: Variants = &[
    &["-O0", "-fPIC"],
    &["-O1", "-fPIC"],
    &["-O2", "-fPIC"],
    &["-O3", "-fPIC"],
    &["-Os", "-fPIC"],
    &["-O3", "-fPIC", "-fno-plt", "-march=x86-64-v3"],
];
const PIE: Variants = &[&["-O0", "-fPIE"], &["-O2", "-fPIE"]];
const SPLIT: Variants = &[
    &["-O2", "-fPIC", "-ffunction-sections", "-fdata-sections"],
    &["-O0", "-fPIC", "-fno-plt", "-ffunction-sections", "-fdata-sections"],
];
const DEBUG: Variants = &[
    &["-O0", "-fPIC", "-g"],
    &["-O2", "-fPIC", "-g3", "-gz", "-ffunction-sections"],
    &["-O2", "-fPIC", "-g", "-gdwarf-4", "-fdebug-types-section"],
    &["-O2", "-fPIC", "-g", "-gsplit-dwarf"],
];
const NO_PIC: Variants = &[&["-O0", "-fno-pic", "-mcmodel=small"], &["-O2", "-fno-pic", "-mcmodel=small"]];
const MODELS: Variants = &[
    &["-O2", "-fPIC", "-mcmodel=medium"],
    &["-O0", "-fPIC", "-mcmodel=medium"],
    &["-O2", "-fPIC", "-mcmodel=large"],
    &["-O0", "-fPIC", "-mcmodel=large"],
];

// References between files, and the relocations behind them.
items! {
    got_refs: clang gcc ir = Item::new("got_refs");
    got_refs_pie: clang gcc = Item::new("got_refs").variants(PIE);
    got_refs_unrelaxed: clang gcc = Item::new("got_refs").also(&["-Wa,-mrelax-relocations=no"]);
    got_refs_sections: clang gcc = Item::new("got_refs").variants(SPLIT);
    data_pointers: clang gcc ir = Item::new("data_pointers");
    function_identity: clang gcc ir = Item::new("function_identity");
    libc_identity: clang gcc ir = Item::new("libc_identity");
    libc_dlsym: clang gcc ir = Item::new("libc_dlsym").variants(PLAIN);
    dlopen_libm: clang gcc ir = Item::new("dlopen_libm").variants(PLAIN);
    libm: clang gcc ir = Item::new("libm").libs(&["m"]);
    asm_pc: clang gcc = Item::new("asm_pc").variants(PLAIN).native_link(&["-no-pie"]);
    asm_got: clang gcc = Item::new("asm_got").variants(PLAIN);
    asm_size: clang gcc = Item::new("asm_size").variants(PLAIN);
    mcmodel: clang gcc = Item::new("mcmodel").variants(MODELS);
    pointer_tables: clang gcc ir = Item::new("pointer_tables");
    switch_tables: clang gcc ir = Item::new("switch_tables");
    switch_tables_sections: clang gcc = Item::new("switch_tables").variants(SPLIT);
    computed_goto: clang gcc ir = Item::new("computed_goto");
}

// Code that is not position-independent: right where the addresses happen to be in range, and
// otherwise an error that says where, what and what to do.
items! {
    nopic_code: clang gcc = Item::new("nopic_code").variants(NO_PIC).native_link(&["-no-pie"]).code(22)
        .or_error(&["-fPIC", "R_X86_64_32", "callee", ".text", "0x", "main.c"]);
    nopic_table: clang gcc = Item::new("nopic_table").variants(NO_PIC).native_link(&["-no-pie"]).code(59)
        .or_error(&["-fPIC", "R_X86_64_32S", "far_table", ".text", "0x", "other.c"]);
    nopic_libc_data: clang gcc = Item::new("libc_data_direct").variants(NO_PIC)
        .native_link(&["-no-pie"]).code(4).or_error(&["-fPIC", "R_X86_64_", "environ", ".text"]);
    pie_libc_data: clang gcc = Item::new("libc_data_direct").variants(PIE).code(4)
        .or_error(&["-fPIC", "R_X86_64_PC32", "environ", ".text"]);
    // As IR the choice of the code model is hotslot's, so there is no excuse.
    nopic_ir: ir = Item::new("got_refs").also(&["-fno-pic"]).native_link(&["-no-pie"]);
    nopic_ir_libc_data: ir = Item::new("libc_data_direct").also(&["-fno-pic"])
        .native_link(&["-no-pie"]).code(4);
}

// Thread-local storage.
items! {
    tls: clang gcc ir = Item::new("tls");
    tls_sections: clang gcc = Item::new("tls").variants(SPLIT);
    tls_descriptors: clang gcc = Item::new("tls").also(&["-mtls-dialect=gnu2"]);
    tls_initial_exec: clang gcc ir = Item::new("tls").also(&["-ftls-model=initial-exec"]);
    tls_local_exec: clang gcc = Item::new("tls").also(&["-ftls-model=local-exec"])
        .or_error(&["R_X86_64_TPOFF32"]);
    tls_pie: clang gcc = Item::new("tls").variants(PIE).or_error(&["R_X86_64_TPOFF32"]);
    tls_large_model: clang gcc = Item::new("tls").variants(&[&["-O2", "-fPIC", "-mcmodel=large"]]);
    tls_before_threads: clang gcc ir = Item::new("tls_before_threads");
    tls_big: clang gcc ir = Item::new("tls_big").variants(PLAIN);
    tls_cxx: clang gcc ir = Item::new("tls_cxx");
    tls_cxx_descriptors: clang gcc = Item::new("tls_cxx").variants(PLAIN).also(&["-mtls-dialect=gnu2"]);
    // Optimised bitcode has initialisers of another calling convention.
    tls_inline: clang gcc ir = Item::new("tls_inline").variants(LEVELS);
    // In an executable a compiler knows what the strong names of a place stand for.
    tls_inline_pie: clang gcc ir = Item::new("tls_inline").variants(PIE).or_error(&["R_X86_64_TPOFF32"]);
    tls_std_thread: clang gcc ir = Item::new("tls_std_thread").variants(PLAIN)
        .also(&["-ftls-model=initial-exec"]);
    tls_std_thread_dynamic: clang gcc = Item::new("tls_std_thread").variants(PLAIN);
    tls_keys: clang gcc ir = Item::new("tls_keys").variants(PLAIN);
    tls_debug: clang gcc = Item::new("tls").variants(PLAIN).also(&["-g"]);
    asm_tls: clang gcc = Item::new("asm_tls").variants(PLAIN);
    tls_errno: clang gcc ir = Item::new("tls_errno").variants(PLAIN);
}

// Symbols: who provides, who sees.
items! {
    common: clang gcc ir = Item::new("common").also(&["-fcommon"]);
    comdat: clang gcc ir = Item::new("comdat");
    comdat_sections: clang gcc = Item::new("comdat").variants(SPLIT);
    weak: clang gcc ir = Item::new("weak");
    weak_other_first: clang gcc ir = Item::new("weak").files(&["other.c", "main.c"]);
    visibility: clang gcc ir = Item::new("visibility");
    hidden_program: clang gcc ir = Item::new("got_refs").also(&["-fvisibility=hidden"]);
    hidden_program_cxx: clang gcc ir = Item::new("comdat").variants(PLAIN)
        .also(&["-fvisibility=hidden", "-fvisibility-inlines-hidden"]);
    alias: clang gcc ir = Item::new("alias");
    ifunc: clang gcc ir = Item::new("ifunc");
    archive: clang gcc ir = Item::new("archive")
        .archived(&["duplicate.c", "inner.c", "unneeded.c", "wanted.c"]);
    executable_stack: gcc = Item::new("executable_stack").variants(PLAIN)
        .error(&["executable stack", "main.c", "nested function"]);
    lto_without_code: gcc = Item::new("got_refs").variants(PLAIN).also(&["-flto"])
        .error(&["-flto", "-ffat-lto-objects", "main.c"]);
    lto_with_code: gcc = Item::new("got_refs").variants(PLAIN).also(&["-flto", "-ffat-lto-objects"]);
    missing_symbol: clang gcc ir = Item::new("missing_symbol")
        .error(&["not_defined_anywhere", "other.c"]);
    missing_data: clang gcc ir = Item::new("missing_data")
        .error(&["data_not_defined_anywhere", "main.c"]);
    duplicate_symbol: clang gcc ir = Item::new("duplicate_symbol")
        .error(&["defined_twice", "main.c", "second.c"]);
    missing_main: clang gcc ir = Item::new("missing_main").error(&["main"]);
    entry: clang gcc ir = Item::new("entry").native_link(&["-Wl,--defsym=main=begin"])
        .hotslot(&["--entry", "begin"]).args(&["x"]).code(6);
}

// Sections, sizes, alignments, flags that change the object.
items! {
    sections: clang gcc ir = Item::new("sections");
    start_stop: clang gcc ir = Item::new("start_stop");
    start_stop_files: clang gcc ir = Item::new("start_stop_files").or_error(&["__start_", "spans", "ld -r"]);
    alignment: clang gcc ir = Item::new("alignment");
    alignment_common: clang gcc = Item::new("alignment").variants(PLAIN).also(&["-fcommon"]);
    big_bss: clang gcc ir = Item::new("big_bss").variants(PLAIN);
    sweep: clang gcc ir = Item::new("sweep").variants(LEVELS);
    sweep_sections: clang gcc = Item::new("sweep").variants(SPLIT);
    debug: clang gcc ir = Item::new("sweep").variants(DEBUG);
    debug_ir: ir = Item::new("sweep").also(&["-g"]);
    debug_cxx: clang gcc = Item::new("comdat").variants(DEBUG);
    no_unwind_tables: clang gcc ir = Item::new("sweep").variants(PLAIN)
        .also(&["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]);
    cf_protection: clang gcc ir = Item::new("computed_goto").also(&["-fcf-protection=full"]);
    cf_protection_cxx: clang gcc ir = Item::new("eh_cross").variants(PLAIN)
        .also(&["-fcf-protection=full", "-fexceptions"]);
    protector: clang gcc ir = Item::new("protector").also(&["-fstack-protector-strong"]);
    protector_smashed: clang gcc ir = Item::new("protector").also(&["-fstack-protector-strong"])
        .args(&["smash"]).signal(SIGABRT);
    sanitize: clang gcc ir = Item::new("sanitize").also(TRAP);
    sanitize_trapped: clang gcc ir = Item::new("sanitize").variants(PLAIN).also(TRAP)
        .args(&["1"]).signal(SIGILL);
}
const TRAP: &[&str] = &["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"];

// Start and end of the program.
items! {
    init_order: clang gcc ir = Item::new("init_order");
    init_order_legacy: clang = Item::new("init_order").files(&["a.c", "b.c"]).variants(PLAIN)
        .also(&["-fno-use-init-array"]);
    init_cxx: clang gcc ir = Item::new("init_cxx");
    asm_ctors: clang gcc = Item::new("asm_ctors").variants(PLAIN);
    exit_order: clang gcc ir = Item::new("exit_order").code(7);
    exit_return: clang gcc ir = EXIT.code(3);
    exit_nested: clang gcc ir = EXIT.args(&["nested"]).code(11);
    exit_thread: clang gcc ir = EXIT.args(&["thread"]).code(11);
    exit_underscore: clang gcc ir = EXIT.args(&["_exit"]).code(21);
    exit_capital: clang gcc ir = EXIT.args(&["_Exit"]).code(22);
    exit_quick: clang gcc ir = EXIT.args(&["quick"]).code(23);
    exit_high_code: clang gcc ir = EXIT.args(&["high"]).code(0xfe);
    exit_negative: clang gcc ir = EXIT.args(&["negative"]).code(253);
    exit_abort: clang gcc ir = EXIT.args(&["abort"]).signal(SIGABRT);
    exit_abort_handler: clang gcc ir = EXIT.args(&["abort handler"]).signal(SIGABRT);
    exit_kill: clang gcc ir = EXIT.args(&["kill"]).signal(SIGKILL);
    exit_term: clang gcc ir = EXIT.args(&["term"]).signal(SIGTERM);
    exit_fault: clang gcc ir = EXIT.args(&["segv"]).signal(SIGSEGV);
    exit_trap: clang gcc ir = EXIT.args(&["trap"]).signal(SIGILL);
    pthread_exit_main: clang gcc ir = Item::new("pthread_exit_main").variants(PLAIN);
}
const EXIT: Item = Item::new("exit_ways").variants(PLAIN);

// Exceptions, RTTI, and the C++ library.
items! {
    eh_cross: clang gcc ir = Item::new("eh_cross").also(&["-fexceptions"]);
    eh_cross_sections: clang gcc = Item::new("eh_cross").variants(SPLIT).also(&["-fexceptions"]);
    eh_kinds: clang gcc ir = Item::new("eh_kinds");
    eh_threads: clang gcc ir = Item::new("eh_threads").variants(PLAIN);
    eh_uncaught: clang gcc ir = ENDS.args(&["uncaught"]).signal(SIGABRT);
    eh_terminate_handler: clang gcc ir = ENDS.args(&["uncaught handler"]).signal(SIGABRT);
    eh_exit_in_handler: clang gcc ir = ENDS.args(&["exit in handler"]).code(44);
    eh_noexcept: clang gcc ir = ENDS.args(&["noexcept"]).signal(SIGABRT);
    eh_double: clang gcc ir = ENDS.args(&["double"]).signal(SIGABRT);
    eh_uncaught_thread: clang gcc ir = ENDS.args(&["thread"]).signal(SIGABRT);
    eh_rethrow_nothing: clang gcc ir = ENDS.args(&["rethrow nothing"]).signal(SIGABRT);
    eh_joinable: clang gcc ir = ENDS.args(&["joinable"]).signal(SIGABRT);
    rtti: clang gcc ir = Item::new("rtti");
    pure_virtual: clang gcc ir = Item::new("pure_virtual").variants(PLAIN).signal(SIGABRT);
    iostream: clang gcc ir = Item::new("iostream").variants(PLAIN).stdin("b a\nc a b a\n");
    cancel_cxx: clang gcc ir = Item::new("cancel_cxx").variants(PLAIN);
    ucontext: clang gcc ir = Item::new("ucontext");
}
const ENDS: Item = Item::new("eh_ends").variants(PLAIN);

// What C code does with its calls, frames and numbers.
items! {
    setjmp: clang gcc ir = Item::new("setjmp");
    varargs: clang gcc ir = Item::new("varargs");
    stack: clang gcc ir = Item::new("stack");
    longdouble: clang gcc ir = Item::new("longdouble").libs(&["m"]);
    libgcc: clang gcc ir = Item::new("libgcc");
    cpu_model: clang gcc ir = Item::new("cpu_model").variants(PLAIN);
    atomics16: clang gcc ir = Item::new("atomics16").variants(PLAIN).libs(&["atomic"]);
    atomics16_inline: clang gcc ir = Item::new("atomics16").variants(PLAIN).also(&["-mcx16"])
        .libs(&["atomic"]);
}

// The process around the program.
items! {
    signals: clang gcc ir = Item::new("signals").variants(PLAIN);
    fork: clang gcc ir = Item::new("fork").variants(PLAIN);
    cancel: clang gcc ir = Item::new("cancel").variants(PLAIN);
    cancel_unwinding: clang gcc ir = Item::new("cancel").also(&["-fexceptions"]);
    process: clang gcc ir = Item::new("process").variants(PLAIN).args(&["one", "two words", "", "--time"])
        .stdin("line\n\nlast without newline").env(&[("ITEM_VALUE", "a b c")]);
    argv0_given: clang gcc ir = Item::new("argv0").variants(PLAIN).same_argv0();
}

// Sources, bitcode, IR and objects in one program.
items! {
    mixed: clang = MIXED.forms(&[Form::Source, Form::Bitcode, Form::Text, Form::Object]);
    mixed_turned: clang = MIXED.forms(&[Form::Bitcode, Form::Object, Form::Source, Form::Text]);
    sources: clang = Item::new("eh_cross").files(&["main.cc", "thrown.cc", "frame.c", "frame.s"])
        .variants(&[&["-O2"]]).also(&["-fexceptions"]).hotslot(&["--cflags", "-fexceptions"])
        .forms(&[Form::Source]);
}
const MIXED: Item = Item::new("mixed").variants(&[&["-O2"]]).code(4);

#[test]
fn argv0_is_the_first_file() {
    if check::self_test() {
        return;
    }
    const ITEM: Item = Item::new("argv0");
    let build = Build::new(&ITEM, &CLANG, PLAIN[0]);
    let inputs = build.inputs().unwrap();
    let got = build.run_hotslot("slot", &inputs).unwrap();
    let path = inputs[0].to_str().unwrap();
    assert_eq!(got.stdout, format!("1 {path}\n{path}\nmain.c.o\n"), "{}", got.stderr);
    assert_eq!(got.end, End::Code(0));
}

/// Gives hotslot a copy of an object with the type of one relocation changed.
fn with_relocation_type(kind: u32, words: &[&str]) {
    const ITEM: Item = Item::new("missing_symbol").files(&["main.c"]);
    let build = Build::new(&ITEM, &GCC, PLAIN[0]);
    let mut inputs = build.inputs().unwrap();
    let mut elf = std::fs::read(&inputs[0]).unwrap();
    let section = [".rela.text.startup", ".rela.text"];
    let set = |name: &&str| elf_edit::set_relocation_type(&mut elf, name, "present", kind);
    let offset = section.iter().find_map(set).expect("a call of `present`");
    inputs[0] = inputs[0].with_file_name(format!("patched-{kind}.o"));
    std::fs::write(&inputs[0], elf).unwrap();
    if check::self_test() {
        return;
    }
    let offset = format!("{offset:#x}");
    for calls in ["slot", "stub"] {
        let got = build.run_hotslot(calls, &inputs).unwrap();
        let words: Vec<&str> = words.iter().copied().chain([offset.as_str(), "present", ".text"]).collect();
        outcome::is_error(&got, &words).unwrap();
    }
}

#[test]
fn unknown_relocation_type() {
    with_relocation_type(200, &["200", "patched-200.o"]);
}

/// A type that is known and never appears in an object: R_X86_64_RELATIVE.
#[test]
fn dynamic_relocation_type() {
    with_relocation_type(8, &["patched-8.o"]);
}
