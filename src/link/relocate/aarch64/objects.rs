//! Whole objects of clang, relocated at made-up addresses and disassembled again.
//!
//! The disassembler is a second opinion: what an instruction reaches is read from its
//! text, through the registers that `adrp`, `add` and `movk` fill, and compared with the
//! address that the relocation wanted.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SectionIndex,
    SectionKind, SymbolIndex,
};

use super::super::write;
use super::listing::{Known, disassemble};
use super::*;

/// Where section 0 would be; no other address is a multiple of a page either.
const BASE: u64 = 0x55_5000_0ab0;
/// The table, and what thread-local variables are reached by: on pages.
const TABLE: u64 = 0x55_4fff_0000;
const PAIRS: u64 = TABLE + 0x2000;
const DESCRIPTORS: u64 = TABLE + 0x4000;
const THREAD_CELLS: u64 = TABLE + 0x6000;

/// How far apart things are placed, and where thread-local blocks start.
#[derive(Clone, Copy)]
struct Plan {
    spread: u64,
    thread_start: u64,
}

const SMALL: Plan = Plan { spread: 0x9_d000, thread_start: 0x12_3450 };
const TINY: Plan = Plan { spread: 0x1000, thread_start: 0x40 };
const LARGE: Plan = Plan { spread: 0x123_4567_8000, thread_start: 0x40 };

impl Plan {
    fn section(self, file: &object::File, index: SectionIndex) -> u64 {
        let section = file.section_by_index(index).expect("a section");
        // Debug information is not loaded: offsets in it count from 0.
        if section.name().is_ok_and(|name| name.starts_with(".debug")) {
            return 0;
        }
        BASE + self.spread * index.0 as u64
    }

    fn undefined(self, index: SymbolIndex) -> u64 {
        BASE + self.spread * (60 + index.0 as u64) + 0x10 * index.0 as u64
    }

    fn value(self, operand: Operand, file: &object::File, index: SymbolIndex, addend: i64) -> u64 {
        let symbol = file.symbol_by_index(index).expect("a symbol");
        let at = 8 * index.0 as u64;
        let address = match symbol.section_index() {
            Some(section) => self.section(file, section) + symbol.address(),
            None => self.undefined(index),
        }
        .wrapping_add_signed(addend);
        // A thread-local variable of another module gets a place of its own.
        let in_block = match symbol.section_index() {
            Some(_) => symbol.address(),
            None => 2 * at,
        }
        .wrapping_add_signed(addend);
        let cell = |address| {
            assert_eq!(addend, 0, "no compiler adds to a cell");
            address
        };
        match operand {
            Operand::Address | Operand::Branch => address,
            Operand::AddressOffset => address.wrapping_sub(TABLE),
            Operand::Cell => TABLE.wrapping_add_signed(addend) + at,
            Operand::CellOffset => cell(at),
            Operand::TlsPair => cell(PAIRS + 2 * at),
            Operand::TlsModulePair => cell(PAIRS),
            Operand::TlsDescriptor => cell(DESCRIPTORS + 2 * at),
            Operand::TlsThreadCell => cell(THREAD_CELLS + at),
            Operand::TlsBlockOffset => self.thread_start + in_block,
            Operand::TlsThreadOffset => self.thread_start + 16 + in_block,
            other => panic!("{other:?} is not an operand of aarch64"),
        }
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(format!("hotslot-a64-{process}-{number}-{name}"));
        std::fs::create_dir_all(&dir).expect("a temporary directory");
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The object that clang makes of `source`.
pub(super) fn compile(name: &str, language: &str, source: &str, flags: &[&str]) -> Vec<u8> {
    let scratch = Scratch::new(name);
    let (input, output) = (scratch.0.join("input"), scratch.0.join("output.o"));
    std::fs::write(&input, source).expect("write the source");
    let compiled = Command::new("clang-19")
        .args(["--target=aarch64-linux-gnu", "-c", "-x", language])
        .args(flags)
        .arg(&input)
        .arg("-o")
        .arg(&output)
        .output()
        .expect("run clang-19");
    let errors = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{name}: {errors}");
    std::fs::read(&output).expect("read the object")
}

/// Compiles, relocates and checks; returns the names of the types that were met.
fn check(name: &str, language: &str, source: &str, flags: &[&str], plan: Plan) -> BTreeSet<String> {
    let data = compile(name, language, source, flags);
    let file = object::File::parse(&*data).expect("an ELF object");

    let mut met = BTreeSet::new();
    for section in file.sections() {
        let mut bytes = section.data().expect("section bytes").to_vec();
        let start = plan.section(&file, section.index());
        let mut wanted = Vec::new();
        for (at, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                panic!("{name}: not an ELF relocation");
            };
            let kind = r_type.0;
            let label = super::name(kind).unwrap_or_else(|| panic!("{name}: type {kind} has no name"));
            let howto = howto(kind).unwrap_or_else(|| panic!("{name}: {label} is not known"));
            met.insert(label.to_owned());
            let RelocationTarget::Symbol(symbol) = relocation.target() else {
                continue;
            };
            if howto.operand == Operand::None {
                continue;
            }
            let mut value = plan.value(howto.operand, &file, symbol, relocation.addend());
            if howto.field == BRANCH && needs_veneer(value, start + at) {
                value = start + 0x10_0000 + 0x10 * symbol.0 as u64;
            }
            write(howto.field, &mut bytes, at as usize, value, start + at)
                .unwrap_or_else(|e| panic!("{name}: {label} at {at:#x}, {value:#x}: {e:?}"));
            wanted.push(Wanted { label, at, value, field: howto.field });
        }
        check_data(name, &bytes, start, &wanted);
        if section.kind() == SectionKind::Text {
            check_code(name, &bytes, start, &wanted);
        }
    }
    met
}

struct Wanted {
    label: &'static str,
    at: u64,
    value: u64,
    field: Field,
}

fn check_data(name: &str, bytes: &[u8], start: u64, wanted: &[Wanted]) {
    for want in wanted {
        let Field::Word { bytes: width, relative, .. } = want.field else {
            continue;
        };
        let at = want.at as usize;
        let mut stored = [0; 8];
        stored[..usize::from(width)].copy_from_slice(&bytes[at..at + usize::from(width)]);
        let base = if relative { start + want.at } else { 0 };
        let reached = base.wrapping_add(u64::from_le_bytes(stored));
        let shift = 64 - 8 * u32::from(width);
        assert_eq!(reached << shift, want.value << shift, "{name}: {} at {at:#x}", want.label);
    }
}

fn check_code(name: &str, code: &[u8], start: u64, wanted: &[Wanted]) {
    let lines = disassemble(code);
    assert_eq!(lines.len(), code.len() / 4, "{name}: not all words are instructions");
    let wanted: HashMap<u64, &Wanted> = wanted.iter().map(|want| (want.at, want)).collect();
    let mut registers: HashMap<u32, Known> = HashMap::new();
    for (at, line) in (0..).step_by(4).zip(&lines) {
        let place = start + at;
        let Some(want) = wanted.get(&at).filter(|want| matches!(want.field, Field::A64(_))) else {
            if !line.is_store()
                && let Some(register) = line.register(0)
            {
                registers.remove(&register);
            }
            continue;
        };
        let context = format!("{name}: {} at {at:#x}, `{}`", want.label, line.text);
        let (x, immediate) = (want.value, line.immediate());
        let base = |index| {
            let known = line.register(index).and_then(|register| registers.get(&register));
            known.map_or(0, |known| known.value)
        };
        let mut set = Known { value: 0, bits: 0 };
        match line.mnemonic() {
            "adrp" => {
                set.value = (place & !0xfff).wrapping_add_signed(immediate);
                assert_eq!(set.value, x & !0xfff, "{context}");
            }
            "adr" => assert_eq!(place.wrapping_add_signed(immediate), x, "{context}"),
            // The first half of an offset from the thread pointer, which counts as 0.
            "add" if line.text.ends_with("lsl #12") => {
                set.value = (immediate as u64) << 12;
                assert_eq!(set.value, x & !0xfff, "{context}");
            }
            "add" => assert_eq!(base(1).wrapping_add_signed(immediate), x, "{context}"),
            "mov" | "movz" | "movn" | "movk" => {
                let Field::A64(Instruction::Move { group, relative, .. }) = want.field else {
                    panic!("{context}: not a move");
                };
                let start = 16 * u32::from(group);
                let x = if relative { x.wrapping_sub(place) } else { x };
                let known = line.register(0).and_then(|register| registers.get(&register));
                set = line.moved(known.copied().unwrap_or(set), start + 16);
                assert_eq!(set.value >> start & 0xffff, x >> start & 0xffff, "{context}");
                // The last of a group, either way round, has the whole value. Those of a
                // relative group count each from its own place.
                let last = line.mnemonic() == "movk" && matches!(group, 0 | 3);
                if last && known.is_some() && !relative {
                    let mask = u64::MAX >> (64 - set.bits);
                    assert_eq!(set.value & mask, x & mask, "{context}");
                }
            }
            "b" | "bl" | "cbz" | "cbnz" | "tbz" | "tbnz" => {
                assert_eq!(place.wrapping_add_signed(immediate), x, "{context}");
            }
            branch if branch.starts_with("b.") => {
                assert_eq!(place.wrapping_add_signed(immediate), x, "{context}");
            }
            // A literal.
            _ if !line.text.contains('[') => {
                assert_eq!(place.wrapping_add_signed(immediate), x, "{context}");
            }
            // A load or a store.
            _ => assert_eq!(base(1).wrapping_add_signed(immediate), x, "{context}"),
        }
        if let Some(register) = line.register(0)
            && !line.is_store()
        {
            registers.remove(&register);
            if matches!(line.mnemonic(), "adrp" | "add" | "mov" | "movz" | "movn" | "movk") {
                registers.insert(register, set);
            }
        }
    }
}

const C: &str = include_str!("objects.c");
const CXX: &str = include_str!("objects.cc");
const ASSEMBLY: &str = include_str!("objects.s");

fn check_c(name: &str, flags: &[&str], plan: Plan) -> BTreeSet<String> {
    check(name, "c", C, &[&["-std=c17"], flags].concat(), plan)
}

#[track_caller]
fn expect(met: &BTreeSet<String>, labels: &[&str]) {
    for label in labels {
        assert!(met.contains(&format!("R_AARCH64_{label}")), "no {label} in {met:#?}");
    }
}

#[test]
fn position_independent_code() {
    for level in ["-O0", "-O1", "-O2", "-O3", "-Os"] {
        let met = check_c(&format!("pic{level}"), &["-fPIC", "-g", level], SMALL);
        #[rustfmt::skip]
        expect(&met, &[
            "ADR_GOT_PAGE", "LD64_GOT_LO12_NC", "ADR_PREL_PG_HI21", "ADD_ABS_LO12_NC", "CALL26",
            "TLSDESC_ADR_PAGE21", "TLSDESC_LD64_LO12", "TLSDESC_ADD_LO12", "TLSDESC_CALL",
            "PREL32", "ABS64", "ABS32",
        ]);
    }
    let met = check_c("sections", &["-fPIC", "-O2", "-ffunction-sections"], SMALL);
    expect(&met, &["JUMP26"]);
    check_c("fno-plt", &["-fPIC", "-O2", "-fno-plt"], SMALL);
    check_c("fpic", &["-fpic", "-O2"], SMALL);
    check_c("pie", &["-fPIE", "-O2"], SMALL);
}

#[test]
fn code_at_fixed_addresses() {
    let met = check_c("static", &["-fno-pic", "-O2"], SMALL);
    #[rustfmt::skip]
    expect(&met, &[
        "LDST8_ABS_LO12_NC", "LDST16_ABS_LO12_NC", "LDST32_ABS_LO12_NC", "LDST64_ABS_LO12_NC",
        "LDST128_ABS_LO12_NC", "ADR_PREL_PG_HI21", "ADD_ABS_LO12_NC",
    ]);
    let met = check_c("tiny", &["-fno-pic", "-O2", "-mcmodel=tiny"], TINY);
    expect(&met, &["LD_PREL_LO19", "ADR_PREL_LO21", "TLSIE_LD_GOTTPREL_PREL19"]);
    let met = check_c("tiny-pic", &["-fPIC", "-O2", "-mcmodel=tiny"], TINY);
    expect(&met, &["GOT_LD_PREL19"]);
    // Its calls are `bl` all the same: they go to veneers. It has no thread-local model.
    let large = ["-fno-pic", "-O2", "-mcmodel=large", "-DNO_THREAD"];
    let met = check_c("large", &large, LARGE);
    expect(&met, &["MOVW_UABS_G0_NC", "MOVW_UABS_G1_NC", "MOVW_UABS_G2_NC", "MOVW_UABS_G3"]);
}

#[test]
fn thread_local_models() {
    for (model, flags, labels) in [
        ("global-dynamic", &["-fPIC"][..], &["TLSDESC_CALL"][..]),
        (
            "local-dynamic",
            &["-fPIC", "-mllvm", "-aarch64-elf-ldtls-generation"],
            &["TLSLD_ADD_DTPREL_HI12", "TLSLD_ADD_DTPREL_LO12_NC"],
        ),
        ("initial-exec", &["-fPIC"], &["TLSIE_ADR_GOTTPREL_PAGE21", "TLSIE_LD64_GOTTPREL_LO12_NC"]),
        ("local-exec", &["-fno-pic"], &["TLSLE_ADD_TPREL_HI12", "TLSLE_ADD_TPREL_LO12_NC"]),
        ("local-exec", &["-fno-pic", "-mtls-size=32"], &["TLSLE_MOVW_TPREL_G1", "TLSLE_MOVW_TPREL_G0_NC"]),
    ] {
        let option = format!("-ftls-model={model}");
        let flags = [&["-O2", option.as_str()], flags].concat();
        let met = check_c(&format!("{model}-{}", flags.len()), &flags, SMALL);
        expect(&met, labels);
    }
    let plan = Plan { thread_start: 0x40, ..SMALL };
    let flags = ["-O2", "-fno-pic", "-ftls-model=local-exec", "-mtls-size=12"];
    let met = check_c("tls-12", &flags, plan);
    expect(&met, &["TLSLE_ADD_TPREL_LO12"]);
}

#[test]
fn cxx() {
    check("cxx", "c++", CXX, &["-fPIC", "-O2"], SMALL);
    check("cxx-O0", "c++", CXX, &["-fPIC", "-O0", "-g"], SMALL);
    let relative = ["-fPIC", "-O2", "-fno-rtti", "-fexperimental-relative-c++-abi-vtables"];
    let met = check("cxx-relative", "c++", CXX, &relative, SMALL);
    expect(&met, &["PLT32"]);
}

#[test]
fn hand_written_assembly() {
    // Near enough for `tbz`.
    let near = Plan { spread: 0x100, ..TINY };
    let met = check("assembly", "assembler", ASSEMBLY, &[], near);
    // What is missing has few bits for an address: only a number would fit.
    let missing: Vec<_> = TYPES
        .iter()
        .filter(|&&(_, name, operand, _)| operand != Operand::None && !met.contains(name))
        .map(|&(_, name, ..)| name)
        .collect();
    #[rustfmt::skip]
    assert_eq!(missing, [
        "R_AARCH64_ABS32", "R_AARCH64_ABS16", "R_AARCH64_MOVW_UABS_G0", "R_AARCH64_MOVW_UABS_G1",
        "R_AARCH64_MOVW_SABS_G0", "R_AARCH64_MOVW_SABS_G1",
    ]);
}
