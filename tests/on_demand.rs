//! Sources on demand that are in no archive: a group from which an update takes what it needs, as
//! a linker takes members of an archive.

use hotslot::{OptLevel, Runtime, Source};

fn runtime(lazy: bool) -> Runtime {
    Runtime::builder().opt_level(OptLevel::O1).arena_size(64 << 20).lazy(lazy).build().unwrap()
}

/// A function `name` that calls `callee`.
fn caller(name: &str, callee: &str) -> Source {
    Source::ir(format!(
        "declare i32 @{callee}()\ndefine i32 @{name}() {{ %r = call i32 @{callee}() ret i32 %r }}"
    ))
    .trusted()
}

fn constant(name: &str, value: i32) -> Source {
    Source::ir(format!("define i32 @{name}() {{ ret i32 {value} }}")).trusted()
}

fn names(runtime: &Runtime) -> Vec<String> {
    let mut names: Vec<String> = runtime.modules().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

#[test]
fn only_what_is_needed_is_loaded_and_the_first_that_defines_it() {
    for lazy in [false, true] {
        let runtime = runtime(lazy);
        let mut update = runtime.update();
        update
            .load("far", constant("far", 1).on_demand())
            .load("near", caller("near", "far").on_demand())
            .load("nobody", caller("nobody", "is_not_there").on_demand())
            .load("main", caller("main", "near"))
            .load("again", constant("far", 2).on_demand());
        update.strict().commit().unwrap();
        assert_eq!(names(&runtime), ["far", "main", "near"]);
        // What was left out comes when somebody needs it.
        let mut update = runtime.update();
        update.load("also", caller("also", "later")).load("later", constant("later", 3).on_demand());
        update.load("again", constant("far", 2).on_demand()).strict().commit().unwrap();
        assert_eq!(names(&runtime), ["also", "far", "later", "main", "near"]);
        // A module that is there is replaced, needed or not.
        runtime.update().replace("far", constant("farther", 4).on_demand()).commit().unwrap();
        assert_eq!(names(&runtime), ["also", "far", "later", "main", "near"]);
    }
}

#[test]
fn what_is_wanted_by_name_is_loaded() {
    let runtime = runtime(false);
    let mut update = runtime.update();
    update
        .load("m", constant("main", 1).on_demand())
        .load("n", constant("other", 1).on_demand())
        .want("main");
    update.strict().commit().unwrap();
    assert_eq!(names(&runtime), ["m"]);
}

#[test]
fn what_an_earlier_one_defines_is_not_taken_from_a_later_one() {
    let runtime = runtime(false);
    let two = "define i32 @z() { ret i32 1 } define i32 @a() { ret i32 1 }";
    let mut update = runtime.update();
    update
        .load("both", Source::ir(two).trusted().on_demand())
        .load("a alone", constant("a", 2).on_demand())
        .load("z alone", constant("z", 2).on_demand())
        .load("main", caller("m", "a"))
        .load("other", caller("n", "z"));
    update.strict().commit().unwrap();
    assert_eq!(names(&runtime), ["both", "main", "other"]);
}
