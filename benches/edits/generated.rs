//! Generated programs of any number of modules, the same in every run.
//!
//! A module has ten functions of type `int(void)`: seven that others can call (`m17_f0` to
//! `m17_f6`) and three of internal linkage. Each calls two functions of other modules and one
//! internal one of its own module. Of the modules that it calls four in five are at most ten
//! away, the fifth is any one: calls go in circles, as in real programs. How deep they go is
//! limited by a counter, `depth`, that the first module has; where it is used up a function
//! returns its number. Each module has a variable, which its functions use, with what was
//! last returned to them, and which others can see. No module refers to another's variables
//! but `depth`. The first module also has a `main`, which does nothing. The edit of a module has `f3` return another number.
//!
//! What is generated is textual IR, which LLVM assembles: ten thousand modules need no run of
//! clang. The result is kept in Cargo's temporary directory.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::llvm;
use crate::ways::{Edit, Module, Program};

/// Functions of a module that others can call; the edited one is in the middle.
const EXPORTED: usize = 7;
const INTERNAL: usize = 3;
const EDITED: usize = 3;

/// The program with so many modules.
pub fn program(count: usize) -> Program {
    let pack = std::fs::read(pack(count)).expect("it was just written");
    let (mut rest, mut modules) = (&pack[..], Vec::with_capacity(count));
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let (bitcode, after) = after.split_at(u64::from_le_bytes(*length) as usize);
        modules.push(Module { name: format!("m{}", modules.len()), bitcode: bitcode.into(), file: None });
        rest = after;
    }
    Program { modules, ..Program::default() }
}

/// Module `index` of `count` with `f3` returning `answer`.
pub fn edit(index: usize, count: usize, answer: i32) -> Edit {
    let bitcode = llvm::assemble(&text(index, count, answer)).into();
    Edit {
        module: index,
        to: Module { name: format!("m{index}"), bitcode, file: None },
        entry: format!("m{index}_f{EDITED}"),
        call: true,
        answer: Some(answer),
    }
}

/// The file with all modules' bitcode, each behind its length, made where it is not there.
pub fn pack(count: usize) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (0..count.min(20)).for_each(|index| module(index, count, None).hash(&mut hasher));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let path = directory.join(format!("generated-{count}-{:016x}.pack", hasher.finish()));
    if !path.exists() {
        let mut pack = Vec::new();
        for index in 0..count {
            let bitcode = llvm::assemble(&module(index, count, None));
            pack.extend((bitcode.len() as u64).to_le_bytes());
            pack.extend(bitcode);
        }
        std::fs::create_dir_all(&directory).expect("Cargo's temporary directory is writable");
        let aside = directory.join(format!("generated-new-{}", std::process::id()));
        std::fs::write(&aside, pack).expect("Cargo's temporary directory is writable");
        std::fs::rename(aside, &path).expect("it is in the same directory");
    }
    path
}

fn text(index: usize, count: usize, answer: i32) -> String {
    module(index, count, Some(answer))
}

/// The two functions of other modules that each function of a module calls.
fn calls(index: usize, count: usize) -> Vec<[String; 2]> {
    let mut seed = index as u64 + 1;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut other = || match random(5) {
        0 => random(count),
        _ => (index + count + random(21) - 10.min(count)) % count,
    };
    let mut both = |function| [other(), other()].map(|m| format!("m{m}_f{}", (m + function) % EXPORTED));
    (0..EXPORTED + INTERNAL).map(&mut both).collect()
}

/// A function of another module, with that module, that calls the edited function of module
/// `index` as soon as it is called itself.
pub fn caller(index: usize, count: usize) -> Option<(usize, String)> {
    let edited = format!("m{index}_f{EDITED}");
    let mut others = (0..count).filter(|&other| other != index);
    others.find_map(|other| {
        let function = calls(other, count).iter().take(EXPORTED).position(|calls| calls[0] == edited)?;
        Some((other, format!("m{other}_f{function}")))
    })
}

/// The IR of a module.
fn module(index: usize, count: usize, answer: Option<i32>) -> String {
    let mut text = String::new();
    let mut declared = std::collections::BTreeSet::new();
    let depth = if index == 0 { "global i32 0" } else { "external global i32" };
    let _ = writeln!(text, "source_filename = \"m{index}.c\"\n@depth = {depth}");
    if index == 0 {
        text.push_str("define i32 @main() {\n  ret i32 0\n}\n");
    }
    let _ = writeln!(
        text,
        "@m{index}_last = global i32 0\n@table = internal constant [4 x i32] [i32 {index}, i32 7, i32 11, i32 13]"
    );
    for (function, callees) in calls(index, count).into_iter().enumerate() {
        let name = |f: usize| match f {
            f if f < EXPORTED => format!("m{index}_f{f}"),
            f => format!("inner{}", f - EXPORTED),
        };
        let linkage = if function < EXPORTED { "" } else { "internal " };
        let number = answer.filter(|_| function == EDITED).unwrap_or((index * 10 + function) as i32);
        for callee in &callees {
            // Its own are defined.
            if !callee.starts_with(&format!("m{index}_")) {
                declared.insert(callee.clone());
            }
        }
        let [first, second] = &callees;
        let inner = match function {
            f if f < EXPORTED => name(EXPORTED + f % INTERNAL),
            // The last one would call itself otherwise, in a ring without any other.
            f => name(EXPORTED + (f + 1 - EXPORTED) % INTERNAL),
        };
        let _ = write!(
            text,
            "
define {linkage}i32 @{}() {{
  %depth = load i32, ptr @depth
  %deep = icmp sgt i32 %depth, 0
  br i1 %deep, label %on, label %end
on:
  %less = sub i32 %depth, 1
  store i32 %less, ptr @depth
  %a = call i32 @{first}()
  %last = load i32, ptr @m{index}_last
  %which = and i32 %last, 3
  %place = getelementptr [4 x i32], ptr @table, i32 0, i32 %which
  %factor = load i32, ptr %place
  %product = mul i32 %a, %factor
  store i32 %a, ptr @m{index}_last
  %odd = and i32 %product, 1
  %is_odd = icmp eq i32 %odd, 1
  br i1 %is_odd, label %left, label %right
left:
  %b = call i32 @{second}()
  %sum = add i32 %b, %product
  br label %join
right:
  %c = call i32 @{inner}()
  %difference = sub i32 %product, %c
  br label %join
join:
  %value = phi i32 [ %sum, %left ], [ %difference, %right ]
  %shifted = lshr i32 %value, 5
  %mixed = xor i32 %value, %shifted
  %old = load i32, ptr @m{index}_total
  %new = add i32 %old, %mixed
  store i32 %new, ptr @m{index}_total
  br label %end
end:
  ret i32 {number}
}}
",
            name(function)
        );
    }
    let _ = writeln!(text, "@m{index}_total = global i32 0");
    for name in declared {
        let _ = writeln!(text, "declare i32 @{name}()");
    }
    text
}
