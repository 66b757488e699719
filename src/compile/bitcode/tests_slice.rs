//! Slices of real modules: LLVM takes them, and they hold what was asked for.

use std::collections::BTreeSet;

use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;

use super::tests_input::*;
use super::*;

/// Functions with bodies and variables with initialisers, as LLVM sees them.
fn definitions(bitcode: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let context = Context::create();
    let buffer = MemoryBuffer::create_from_memory_range_copy(bitcode, "slice");
    let module = inkwell::module::Module::parse_bitcode_from_buffer(&buffer, &context)
        .unwrap_or_else(|e| panic!("LLVM does not read it: {e}"));
    module.verify().unwrap_or_else(|e| panic!("LLVM finds it broken: {e}"));
    let text = |name: &std::ffi::CStr| name.to_str().unwrap().to_owned();
    let bodies = module.get_functions().filter(|f| f.count_basic_blocks() > 0);
    let bodies = bodies.map(|f| text(f.get_name())).collect();
    let initialised = module.get_globals().filter(|g| g.get_initializer().is_some());
    (bodies, initialised.map(|g| text(g.get_name())).collect())
}

/// Takes every function by itself, with and without the variables, and some of them together.
fn slices_hold_what_was_asked_for(bitcode: &[u8], every: usize) {
    let (functions, variables) = definitions(bitcode);
    assert!(!functions.is_empty());
    let all = sliced(bitcode, &|_, _| true).unwrap();
    assert_eq!(definitions(&all), (functions.clone(), variables.clone()));
    let private = |name: &str| name.starts_with(".str") || name.starts_with("__const.");
    for wanted in functions.iter().step_by(every) {
        let one = sliced(bitcode, &|kind, name| match kind {
            Definition::Function => name == wanted,
            Definition::Variable => private(name),
            Definition::Alias => false,
        });
        let (bodies, initialised) = definitions(&one.unwrap());
        assert_eq!(bodies, BTreeSet::from([wanted.clone()]));
        assert_eq!(initialised, variables.iter().filter(|v| private(v)).cloned().collect());
    }
    let some: BTreeSet<String> = functions.iter().step_by(3).cloned().collect();
    let kept = sliced(bitcode, &|kind, name| kind != Definition::Function || some.contains(name));
    match kept {
        Ok(kept) => assert_eq!(definitions(&kept), (some, variables)),
        Err(why) => assert!(why.to_string().contains("the address of a block"), "{why}"),
    }
}

#[test]
fn lua() {
    for (file, flags) in [("lvm.c", &["-g"][..]), ("lapi.c", &[]), ("lstrlib.c", &[]), ("lvm.c", &[])] {
        slices_hold_what_was_asked_for(&from_file(&super::tests_input::lua(file), flags), 1);
    }
}

#[test]
fn zstd() {
    slices_hold_what_was_asked_for(
        &from_file(&super::tests_input::zstd("compress/zstd_double_fast.c"), &[]),
        3,
    );
    slices_hold_what_was_asked_for(
        &from_file(&super::tests_input::zstd("decompress/zstd_decompress_block.c"), &["-g"]),
        7,
    );
}

#[test]
fn templates_exceptions_and_initialisers() {
    let bitcode = from_text("clang++-19", CXX, &["-std=c++17"]);
    slices_hold_what_was_asked_for(&bitcode, 11);
    // Constructors can be left out, and are no definition then.
    let without = sliced(&bitcode, &|kind, name| kind == Definition::Function && name == "aliased").unwrap();
    let (bodies, variables) = definitions(&without);
    assert_eq!(bodies, BTreeSet::from(["aliased".to_owned()]));
    assert!(variables.is_empty(), "{variables:?}");
}

#[test]
fn labels_in_tables() {
    let bitcode = from_text("clang-19", GOTO, &[]);
    let functions = |wanted: &'static str, variables: bool| {
        sliced(&bitcode, &move |kind, name| match kind {
            Definition::Function => name == wanted,
            _ => variables,
        })
    };
    assert_eq!(definitions(&functions("run", true).unwrap()).0, BTreeSet::from(["run".to_owned()]));
    assert_eq!(definitions(&functions("other", false).unwrap()).0, BTreeSet::from(["other".to_owned()]));
    // The table of labels needs the function that they are in.
    assert!(functions("other", true).is_err());
    // LLVM would not read it: that is what the refusal is for.
    assert_eq!(definitions(&functions("run", false).unwrap()).1, BTreeSet::new());
}

#[test]
fn labels_of_other_functions() {
    let ir = r#"
        @table = internal constant [1 x ptr] [ptr blockaddress(@f, %there)]
        define ptr @f() { br label %there there: ret ptr @table }
        define ptr @g() { ret ptr blockaddress(@f, %there) }
        define i32 @h() { ret i32 1 }
    "#;
    let bitcode = from_ir(ir).unwrap();
    let one = |wanted: &str| sliced(&bitcode, &|_, name| name == wanted);
    assert_eq!(definitions(&one("h").unwrap()).0, BTreeSet::from(["h".to_owned()]));
    assert_eq!(definitions(&one("f").unwrap()).0, BTreeSet::from(["f".to_owned()]));
    // The constant is the table's, and this function uses it as well.
    assert!(one("g").is_err());
}

#[test]
fn aliases_follow_what_they_lead_to() {
    let ir = r#"
        @v = global i32 1
        @a = alias i32, ptr @v
        @b = internal alias i32, getelementptr (i8, ptr @v, i64 0)
        @f = alias i32 (i32), ptr @g
        @ff = alias i32 (i32), ptr @f
        @i = ifunc i32 (i32), ptr @resolve
        define internal fastcc i32 @g(i32 %x) { ret i32 %x }
        define internal ptr @resolve() { ret ptr @g }
        define i32 @h(i32 %x) {
          %y = call fastcc i32 @ff(i32 %x)
          %z = call i32 @i(i32 %y)
          %w = load i32, ptr @b
          ret i32 %w
        }
    "#;
    let bitcode = from_ir(ir).unwrap();
    let one = sliced(&bitcode, &|kind, name| kind == Definition::Alias || name == "h").unwrap();
    assert_eq!(definitions(&one), (BTreeSet::from(["h".to_owned()]), BTreeSet::new()));
    let two =
        sliced(&bitcode, &|kind, name| kind == Definition::Alias || ["h", "v"].contains(&name)).unwrap();
    assert_eq!(definitions(&two).1, BTreeSet::from(["v".to_owned()]));
}

#[test]
fn a_wrapper_is_taken_off() {
    let bitcode = from_ir("define i32 @f() { ret i32 1 }\ndefine i32 @g() { ret i32 2 }").unwrap();
    let mut wrapped: Vec<u8> =
        [0x0B17_C0DEu32, 0, 20, bitcode.len() as u32, 7].map(u32::to_le_bytes).concat();
    wrapped.extend_from_slice(&bitcode);
    wrapped.extend_from_slice(&[0; 12]);
    let keep = |_, name: &str| name == "g";
    assert_eq!(sliced(&wrapped, &keep), sliced(&bitcode, &keep));
    assert_eq!(definitions(&sliced(&wrapped, &keep).unwrap()).0, BTreeSet::from(["g".to_owned()]));
}
