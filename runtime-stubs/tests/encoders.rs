//! Golden bytes, the exact ends of every reach, and a second opinion from LLVM's disassembler.
//! Runs on any host: the encoders are pure.

use std::io::Write;
use std::process::{Command, Stdio};

use runtime_stubs::{Arch, GATE_SIZE, OutOfRange, STUB_SIZE, THUNK_SIZE};

const X86: Arch = Arch::X86_64;
const ARM: Arch = Arch::Aarch64;

const AT: u64 = 0x10_0000;
const CELL: u64 = 0x20_1238;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn golden_x86_64() {
    // From the end of the jump, at AT + 10, to CELL: 0x10122e.
    assert_eq!(hex(&X86.stub(AT, CELL).unwrap()), "f3 0f 1e fa ff 25 2e 12 10 00 cc cc cc cc cc cc");
    assert_eq!(
        hex(&X86.counting_stub(AT, CELL, CELL + 8).unwrap().unwrap()),
        "f0 48 ff 05 38 12 10 00 ff 25 2a 12 10 00 cc cc"
    );
    assert_eq!(
        hex(&X86.missing_thunk(AT, 0x1234_5678, CELL).unwrap()),
        "f3 0f 1e fa 41 bb 78 56 34 12 ff 25 28 12 10 00 \
         cc cc cc cc cc cc cc cc cc cc cc cc cc cc cc cc"
    );
    assert_eq!(
        hex(&X86.context_thunk(0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00)),
        "f3 0f 1e fa 41 53 49 bb 88 77 66 55 44 33 22 11 \
         41 53 49 bb 00 ff ee dd cc bb aa 99 41 ff e3 cc \
         cc cc cc cc cc cc cc cc cc cc cc cc cc cc cc cc"
    );
    assert_eq!(
        hex(&X86.gate_thunk(AT, CELL + 4, 0x1111_2222_3333_4444, 5).unwrap()),
        "f3 0f 1e fa 83 3d 31 12 10 00 00 75 06 ff 25 0d \
         00 00 00 ff 25 0f 00 00 00 cc cc cc cc cc cc cc \
         44 44 33 33 22 22 11 11 05 00 00 00 00 00 00 00"
    );
    assert_eq!(hex(&X86.veneer(AT, AT - 0x1000).unwrap()), "e9 fb ef ff ff cc cc cc cc cc cc cc cc cc cc cc");
    assert_eq!(hex(&X86.far_jump(0x1122_3344_5566_7788)), "ff 25 02 00 00 00 cc cc 88 77 66 55 44 33 22 11");
    let mut fill = [0; 5];
    X86.trap_fill(&mut fill);
    assert_eq!(hex(&fill), "cc cc cc cc cc");
}

#[test]
fn golden_aarch64() {
    assert_eq!(hex(&ARM.stub(AT, CELL).unwrap()), "5f 24 03 d5 10 08 00 b0 11 1e 41 f9 20 02 1f d6");
    assert_eq!(ARM.counting_stub(AT, CELL, CELL), Ok(None));
    assert_eq!(
        hex(&ARM.missing_thunk(AT, 0x1234_5678, CELL).unwrap()),
        "5f 24 03 d5 11 cf 8a 52 91 46 a2 72 10 08 00 b0 \
         10 1e 41 f9 00 02 1f d6 00 00 20 d4 00 00 20 d4"
    );
    assert_eq!(
        hex(&ARM.context_thunk(0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00)),
        "5f 24 03 d5 b0 00 00 58 f0 47 bf a9 b0 00 00 58 \
         00 02 1f d6 00 00 20 d4 88 77 66 55 44 33 22 11 \
         00 ff ee dd cc bb aa 99 00 00 20 d4 00 00 20 d4"
    );
    assert_eq!(
        hex(&ARM.gate_thunk(AT, CELL + 4, 0x1111_2222_3333_4444, 5).unwrap()),
        "5f 24 03 d5 10 08 00 b0 10 f2 08 91 11 fe df 88 \
         90 00 00 58 51 00 00 34 90 00 00 58 00 02 1f d6 \
         44 44 33 33 22 22 11 11 05 00 00 00 00 00 00 00"
    );
    assert_eq!(hex(&ARM.veneer(AT, AT - 0x1000).unwrap()), "f0 ff ff f0 10 02 00 91 00 02 1f d6 00 00 20 d4");
    assert_eq!(hex(&ARM.far_jump(0x1122_3344_5566_7788)), "50 00 00 58 00 02 1f d6 88 77 66 55 44 33 22 11");
    let mut fill = [0; 6];
    ARM.trap_fill(&mut fill);
    assert_eq!(hex(&fill), "00 00 20 d4 00 00");
}

/// Asserts that `encode` takes `last` and refuses `beyond`, with both addresses in the error.
fn ends_at<T: std::fmt::Debug>(
    from: u64,
    last: u64,
    beyond: u64,
    encode: impl Fn(u64) -> Result<T, OutOfRange>,
) {
    assert!(encode(last).is_ok(), "{last:#x} should be in reach");
    assert_eq!(encode(beyond).unwrap_err(), OutOfRange { from, to: beyond });
}

/// Far from both ends of the address space.
const MIDDLE: u64 = 0x4000_0000_0000;

#[test]
fn reach_x86_64() {
    let at = MIDDLE;
    // Displacements count from the end of the instruction; cells are aligned, so round inwards.
    let ends = |length: u64, alignment: u64| {
        let last = (at + length + 0x7fff_ffff) / alignment * alignment;
        let first = (at + length - 0x8000_0000).next_multiple_of(alignment);
        (first, last)
    };
    let (first, last) = ends(10, 8);
    ends_at(at, last, last + 8, |to| X86.stub(at, to));
    ends_at(at, first, first - 8, |to| X86.stub(at, to));
    let (first, last) = ends(8, 8);
    ends_at(at, last, last + 8, |to| X86.counting_stub(at, at, to));
    ends_at(at, first, first - 8, |to| X86.counting_stub(at, at, to));
    let (first, last) = ends(14, 8);
    ends_at(at, last, last + 8, |to| X86.counting_stub(at, to, at));
    ends_at(at, first, first - 8, |to| X86.counting_stub(at, to, at));
    let (first, last) = ends(16, 8);
    ends_at(at, last, last + 8, |to| X86.missing_thunk(at, 0, to));
    ends_at(at, first, first - 8, |to| X86.missing_thunk(at, 0, to));
    let (first, last) = ends(11, 4);
    ends_at(at, last, last + 4, |to| X86.gate_thunk(at, to, 0, 0));
    ends_at(at, first, first - 4, |to| X86.gate_thunk(at, to, 0, 0));
    let (first, last) = ends(5, 1);
    assert_eq!(last, at + 5 + 0x7fff_ffff);
    ends_at(at, last, last + 1, |to| X86.veneer(at, to));
    ends_at(at, first, first - 1, |to| X86.veneer(at, to));
}

#[test]
fn reach_aarch64() {
    // `adrp` sits in the same page as the start, at whatever offset: only the page counts.
    for at in [MIDDLE, MIDDLE + 0xfd0] {
        let first = MIDDLE - (1 << 32);
        let beyond = MIDDLE + (1 << 32);
        let last = beyond - 8;
        ends_at(at, last, beyond, |to| ARM.stub(at, to));
        ends_at(at, first, first - 8, |to| ARM.stub(at, to));
        ends_at(at, last, beyond, |to| ARM.missing_thunk(at, 0, to));
        ends_at(at, first, first - 8, |to| ARM.missing_thunk(at, 0, to));
        ends_at(at, beyond - 4, beyond, |to| ARM.gate_thunk(at, to, 0, 0));
        ends_at(at, first, first - 4, |to| ARM.gate_thunk(at, to, 0, 0));
        ends_at(at, beyond - 1, beyond, |to| ARM.veneer(at, to));
        ends_at(at, first, first - 1, |to| ARM.veneer(at, to));
    }
    // A thunk that starts in one page and has its `adrp` in the next.
    let at = MIDDLE - 8;
    let beyond = MIDDLE + (1 << 32);
    ends_at(at, beyond - 8, beyond, |to| ARM.missing_thunk(at, 0, to));
}

#[test]
fn misaligned_cells_are_refused() {
    for arch in [X86, ARM] {
        assert!(arch.stub(AT, CELL + 4).is_err());
        assert!(arch.missing_thunk(AT, 0, CELL + 1).is_err());
        assert!(arch.gate_thunk(AT, CELL + 2, 0, 0).is_err());
    }
    assert!(X86.counting_stub(AT, CELL, CELL + 4).is_err());
    assert!(ARM.stub(AT + 2, CELL).is_err());
}

#[test]
fn addresses_wrap_instead_of_panicking() {
    for arch in [X86, ARM] {
        for at in [0, !15] {
            for to in [0, !15, 1 << 63] {
                let _ = arch.stub(at, to);
                let _ = arch.counting_stub(at, to, to);
                let _ = arch.missing_thunk(at, u32::MAX, to);
                let _ = arch.gate_thunk(at, to, 0, 0);
                let _ = arch.veneer(at, to);
            }
        }
    }
}

#[test]
fn sizes_keep_the_alignment_of_stubs() {
    for size in [THUNK_SIZE, GATE_SIZE, runtime_stubs::CONTEXT_SIZE] {
        assert_eq!(size % STUB_SIZE, 0);
    }
}

/// The instructions of `bytes`, white space squeezed; nothing when there is no `llvm-mc`.
fn disassemble(triple: &str, bytes: &[u8]) -> Option<Vec<String>> {
    let program =
        ["llvm-mc-19", "llvm-mc"].into_iter().find(|p| Command::new(p).arg("--version").output().is_ok())?;
    let mut child = Command::new(program)
        .args(["--disassemble", "--triple", triple, "--mattr=+bti,+lse"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text: String = bytes.iter().map(|b| format!("0x{b:02x} ")).collect();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(
        lines
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|line| !line.is_empty() && line != ".text")
            .map(|line| without_comment(&line).to_string())
            .collect(),
    )
}

/// The disassembler adds immediates in hexadecimal as comments.
fn without_comment(line: &str) -> &str {
    let line = line.split(" # ").next().unwrap_or_default();
    line.split(" // ").next().unwrap_or_default()
}

fn reads_as(triple: &str, bytes: &[u8], expected: &[&str]) {
    match disassemble(triple, bytes) {
        Some(lines) => assert_eq!(lines, expected),
        None => println!("skipped: no llvm-mc on this machine"),
    }
}

#[test]
fn llvm_reads_x86_64() {
    let t = "x86_64-unknown-linux-gnu";
    reads_as(t, &X86.stub(AT, CELL).unwrap()[..10], &["endbr64", "jmpq *1053230(%rip)"]);
    reads_as(
        t,
        &X86.counting_stub(AT, CELL, CELL + 8).unwrap().unwrap(),
        &["lock", "incq 1053240(%rip)", "jmpq *1053226(%rip)", "int3", "int3"],
    );
    reads_as(
        t,
        &X86.missing_thunk(AT, 77, CELL).unwrap()[..16],
        &["endbr64", "movl $77, %r11d", "jmpq *1053224(%rip)"],
    );
    reads_as(
        t,
        &X86.context_thunk(0x1_0000_0000, 0x2_0000_0000)[..32],
        &[
            "endbr64",
            "pushq %r11",
            "movabsq $4294967296, %r11",
            "pushq %r11",
            "movabsq $8589934592, %r11",
            "jmpq *%r11",
            "int3",
        ],
    );
    reads_as(
        t,
        &X86.gate_thunk(AT, CELL, 1, 2).unwrap()[..25],
        &["endbr64", "cmpl $0, 1053229(%rip)", "jne 6", "jmpq *13(%rip)", "jmpq *15(%rip)"],
    );
    reads_as(t, &X86.veneer(AT, AT + 0x105).unwrap()[..5], &["jmp 256"]);
    reads_as(t, &X86.far_jump(0)[..6], &["jmpq *2(%rip)"]);
}

#[test]
fn llvm_reads_aarch64() {
    let t = "aarch64-unknown-linux-gnu";
    // 0x100 pages and one, as bytes.
    let page = "adrp x16, #1052672";
    reads_as(t, &ARM.stub(AT, CELL).unwrap(), &["bti c", page, "ldr x17, [x16, #568]", "br x17"]);
    reads_as(
        t,
        &ARM.missing_thunk(AT, 0xffff_0001, CELL).unwrap(),
        &[
            "bti c",
            "mov w17, #1",
            "movk w17, #65535, lsl #16",
            page,
            "ldr x16, [x16, #568]",
            "br x16",
            "brk #0",
            "brk #0",
        ],
    );
    reads_as(
        t,
        &ARM.context_thunk(1, 2)[..24],
        &["bti c", "ldr x16, #20", "stp x16, x17, [sp, #-16]!", "ldr x16, #20", "br x16", "brk #0"],
    );
    reads_as(
        t,
        &ARM.gate_thunk(AT, CELL, 1, 2).unwrap()[..32],
        &[
            "bti c",
            page,
            "add x16, x16, #568",
            "ldar w17, [x16]",
            "ldr x16, #16",
            "cbz w17, #8",
            "ldr x16, #16",
            "br x16",
        ],
    );
    reads_as(
        t,
        &ARM.veneer(AT, AT - 0x7ffff - 1).unwrap(),
        &["adrp x16, #-524288", "add x16, x16, #0", "br x16", "brk #0"],
    );
    reads_as(t, &ARM.far_jump(0)[..8], &["ldr x16, #8", "br x16"]);
    // The far ends of adrp.
    reads_as(
        t,
        &ARM.veneer(MIDDLE, MIDDLE + 0xffff_ffff).unwrap()[..8],
        &["adrp x16, #4294963200", "add x16, x16, #4095"],
    );
    reads_as(
        t,
        &ARM.veneer(MIDDLE, MIDDLE - 0x1_0000_0000).unwrap()[..8],
        &["adrp x16, #-4294967296", "add x16, x16, #0"],
    );
}
