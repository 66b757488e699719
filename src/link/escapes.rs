//! Addresses of functions that the assembler has filled in itself.
//!
//! Where a static function is in one section with what takes its address, there is no
//! relocation: `lea` has the distance in it. Owns the search for these instructions, so that
//! they can be pointed at the function's stub like all others. It reads bytes, so whatever it
//! finds is decoded from the start of its function, and what stays unclear is said to be.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction};
use memchr::memchr_iter;
use object::LittleEndian;
use runtime_stubs::Arch;

use super::homes::leads_to_stub;
use super::object::{Kind, Object, Section};
use super::relocate::{self, Operand};
use super::starts::{Starts, is_nested};
use crate::table::SymbolId;

const LE: LittleEndian = LittleEndian;

/// An instruction that takes the address of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub section: usize,
    /// Where the distance is, relative to what follows it.
    pub field: u64,
    /// The function's symbol.
    pub function: usize,
}

#[derive(Default)]
pub(super) struct Escapes {
    pub taken: Vec<Taken>,
    /// There are others that lead into code, which may be anything.
    pub unclear: bool,
}

/// Searches the code of `object`. `labels_stay` says that no address of a label gets out.
pub(super) fn find(
    object: &Object<'_>,
    ids: &[Option<SymbolId>],
    starts: &Starts,
    labels_stay: bool,
) -> Escapes {
    let mut escapes = Escapes::default();
    if object.arch != Arch::X86_64 {
        return escapes;
    }
    for (index, section) in object.sections.iter().enumerate().filter(|(_, s)| s.kind == Kind::Code) {
        let mut found = Vec::new();
        for (field, target) in completed(section) {
            match starts.at(index, target) {
                Some(function)
                    if leads_to_stub(object, ids, starts, function, index, target)
                        && !is_nested(object.symbols[function].name) =>
                {
                    found.push((field, target, function));
                }
                None if labels_stay => {}
                _ => escapes.unclear = true,
            }
        }
        if found.is_empty() {
            continue;
        }
        let bases = bases(object, section);
        let real = confirmed(index, section, starts, &found);
        for (&(field, target, function), real) in found.iter().zip(real) {
            if real && !bases.contains(&target) {
                escapes.taken.push(Taken { section: index, field, function });
            } else {
                escapes.unclear = true;
            }
        }
    }
    escapes
}

/// What looks like `lea disp32(%rip)`, has no relocation and leads into its own section: where
/// its field is, and where it leads.
fn completed(section: &Section<'_>) -> Vec<(u64, u64)> {
    let code = section.bytes;
    let mut relocated: Option<Vec<u64>> = None;
    let mut found = Vec::new();
    for at in memchr_iter(0x8d, code) {
        if at == 0 || at + 6 > code.len() || code[at - 1] & 0xf8 != 0x48 || code[at + 1] & 0xc7 != 5 {
            continue;
        }
        let field = [code[at + 2], code[at + 3], code[at + 4], code[at + 5]];
        let target = (at as i64 + 6) + i64::from(i32::from_le_bytes(field));
        if target < 0 || target as u64 >= section.size {
            continue;
        }
        let relocated = relocated.get_or_insert_with(|| {
            let mut all: Vec<u64> = section.relocations.iter().map(|r| r.r_offset.get(LE)).collect();
            all.sort_unstable();
            all
        });
        if relocated.binary_search(&(at as u64 + 2)).is_err() {
            found.push((at as u64 + 2, target as u64));
        }
    }
    found
}

/// Labels that code of the large model counts the table's distance from. They may be the start
/// of a function, and are no function's address.
fn bases(object: &Object<'_>, section: &Section<'_>) -> Vec<u64> {
    let table =
        |kind: u32| relocate::howto(object.arch, kind).is_some_and(|h| h.operand == Operand::TableBase);
    let all = section.relocations.iter().filter(|r| table(r.r_type(LE, false).0));
    all.map(|r| r.r_offset.get(LE).wrapping_sub(r.r_addend.get(LE) as u64)).collect()
}

/// Which of `found`, which are in order, are instructions and not parts of others.
fn confirmed(index: usize, section: &Section<'_>, starts: &Starts, found: &[(u64, u64, usize)]) -> Vec<bool> {
    let mut real = vec![false; found.len()];
    let start = |field: u64| starts.around(index, field).map(|(_, into)| field - into);
    let mut next = 0;
    while next < found.len() {
        let first = start(found[next].0);
        let count = found[next..].iter().take_while(|&&(field, ..)| start(field) == first).count();
        let group = next..next + count;
        next += count;
        let Some(first) = first else { continue };
        let (Some(code), last) = (section.bytes.get(first as usize..), found[group.end - 1].0) else {
            continue;
        };
        let mut decoder = Decoder::with_ip(64, code, first, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        let mut at = group.start;
        while decoder.can_decode() && decoder.ip() <= last && at < group.end {
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                break;
            }
            let (field, target, _) = found[at];
            if instruction.next_ip() < field + 4 {
                continue;
            }
            real[at] = instruction.next_ip() == field + 4
                && instruction.code() == Code::Lea_r64_m
                && instruction.is_ip_rel_memory_operand()
                && instruction.ip_rel_memory_address() == target;
            at += 1;
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::compile;

    /// What is found in `source`: the functions whose addresses are taken, and whether anything
    /// is unclear.
    fn found(source: &str, compiler: &str, flags: &[&str]) -> (Vec<String>, bool) {
        let bytes = compile(source, compiler, flags);
        let object = Object::parse(&bytes).unwrap();
        let global = |(index, s): (usize, &crate::link::object::Symbol<'_>)| {
            (s.binding != crate::link::Binding::Local).then_some(SymbolId(index as u32))
        };
        let ids: Vec<_> = object.symbols.iter().enumerate().map(global).collect();
        let starts = Starts::new(&object, &ids);
        let escapes = find(&object, &ids, &starts, false);
        let names = escapes.taken.iter().map(|taken| object.symbols[taken.function].name.to_owned());
        (names.collect(), escapes.unclear)
    }

    #[test]
    fn functions_are_found_and_labels_are_unclear() {
        let source = "int g(int (*)(void)); static int f(void) { return 1; } static int h(void) { return 2; }
            int both(int x) { return g(f) + (x ? g(h) : 0); } int again(void) { return g(f); }";
        for compiler in ["gcc", "clang-19"] {
            for level in ["-O0", "-O1", "-O2"] {
                let (mut names, unclear) = found(source, compiler, &[level, "-fPIC"]);
                names.sort();
                assert_eq!(
                    (&*names, unclear),
                    (&["f", "f", "h"].map(String::from)[..], false),
                    "{compiler} {level}"
                );
                let apart = found(source, compiler, &[level, "-fPIC", "-ffunction-sections"]);
                assert_eq!(apart, (Vec::new(), false), "{compiler} {level}");
            }
        }
        let label = "void *p; void g(int); void put(int x) { p = x ? &&a : &&b; a: g(1); b: g(2); }";
        assert_eq!(found(label, "gcc", &["-O1", "-fPIC"]), (Vec::new(), true));
    }

    #[test]
    fn functions_bound_to_a_frame_are_left_alone() {
        let parallel = "int sum(int *v, int n) { int s = 0;\n#pragma omp parallel for reduction(+:s)\n
            for (int i = 0; i < n; i++) s += v[i]; return s; }";
        assert_eq!(found(parallel, "gcc", &["-O1", "-fPIC", "-fopenmp"]), (Vec::new(), true));
    }

    #[test]
    fn what_only_looks_like_such_an_instruction_is_unclear() {
        let head = ".text\n.type f, @function\nf: ret\n.type g, @function\ng: ";
        let source = |body: &str| format!("__asm__(\"{}\");", format!("{head}{body}").replace('\n', "\\n"));
        // The distance is right.
        assert_eq!(found(&source("lea f(%rip), %rax\nret"), "gcc", &[]), (vec!["f".into()], false));
        // The same bytes within the constant of another instruction.
        let hidden = "movabs $0xfffffff3058d48, %rax\nret";
        let (taken, _) = found(&source(hidden), "gcc", &[]);
        assert!(taken.is_empty());
        let hidden = ".byte 0x48, 0xb8, 0x48, 0x8d, 0x05, 0xf6, 0xff, 0xff, 0xff, 0x90\nret";
        assert_eq!(found(&source(hidden), "gcc", &[]), (Vec::new(), true));
        // Where the large model counts from.
        let base = "lea g(%rip), %rbx\nmovabs $_GLOBAL_OFFSET_TABLE_-g, %r11\nadd %r11, %rbx\nret";
        assert_eq!(found(&source(base), "gcc", &[]), (Vec::new(), true));
    }
}
