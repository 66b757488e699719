//! What LLVM's disassembler says of a piece of code, for tests: the text of each
//! instruction, its registers and its immediate.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What the code so far has put into a register: a value, and how many of its low bits
/// `mov` and `movk` have set.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub value: u64,
    pub bits: u32,
}

/// A line of the disassembler: `ldr x8, [x8, #16]`.
pub(super) struct Line {
    pub text: String,
}

impl Line {
    pub fn mnemonic(&self) -> &str {
        self.text.split_whitespace().next().unwrap_or("")
    }

    pub fn operand(&self, index: usize) -> Option<&str> {
        let operands = self.text.split_once(char::is_whitespace)?.1;
        let operand = operands.split(',').nth(index)?;
        Some(operand.trim_matches(|c: char| c.is_whitespace() || "[]!".contains(c)))
    }

    /// The number of a general register; 31 is none.
    pub fn register(&self, index: usize) -> Option<u32> {
        let operand = self.operand(index)?;
        operand.strip_prefix(['x', 'w'])?.parse().ok()
    }

    pub fn is_store(&self) -> bool {
        let mnemonic = self.mnemonic();
        ["st", "cb", "tb", "cmp"].iter().any(|start| mnemonic.starts_with(start))
    }

    /// What a move leaves in a register that was `known`, if it has set bits below `end`.
    pub fn moved(&self, known: Known, end: u32) -> Known {
        let shifted = (self.immediate() as u64) << self.shift();
        let value = match self.mnemonic() {
            "movn" => !shifted,
            "movk" => known.value & !(0xffff << self.shift()) | shifted,
            _ => shifted,
        };
        let bits = match self.mnemonic() {
            "movk" => known.bits.max(end),
            _ => end,
        };
        Known { value, bits }
    }

    /// The last number that is not a shift; none counts as 0.
    pub fn immediate(&self) -> i64 {
        let operands = (0..4).filter_map(|index| self.operand(index));
        let number = |operand: &str| {
            let digits = operand.strip_prefix('#')?;
            match digits.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).ok().map(|n| n as i64),
                None => digits.parse().ok(),
            }
        };
        operands.filter_map(number).next_back().unwrap_or(0)
    }

    pub fn shift(&self) -> u32 {
        let shift = self.text.rsplit_once("lsl #").map(|(_, amount)| amount);
        shift.map_or(0, |amount| amount.parse().expect("a shift"))
    }
}

pub(super) fn disassemble(code: &[u8]) -> Vec<Line> {
    let mut child = Command::new("llvm-mc-19")
        .args(["--disassemble", "--triple=aarch64", "--mattr=+all"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("run llvm-mc-19");
    let input: String = code.iter().map(|byte| format!("{byte:#04x} ")).collect();
    let mut stdin = child.stdin.take().expect("a pipe");
    let feed = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the disassembly");
    feed.join().expect("no panic").expect("feed the disassembler");
    let text = String::from_utf8(output.stdout).expect("text");
    let code_of = |line: &str| line.split("//").next().unwrap_or("").trim().to_owned();
    text.lines()
        .map(code_of)
        .filter(|text| !text.is_empty() && !text.starts_with('.'))
        .map(|text| Line { text })
        .collect()
}

/// The address that each instruction leads to or computes, as far as the code before it
/// says, whichever way it was reached: the target of a branch, what `adrp` and an `add`
/// make, what a load or store accesses.
pub(super) fn reached(lines: &[Line], start: u64) -> Vec<Option<u64>> {
    let mut registers: HashMap<u32, u64> = HashMap::new();
    let mut reached = Vec::with_capacity(lines.len());
    for (place, line) in (start..).step_by(4).zip(lines) {
        let to = line.register(0).filter(|_| !line.is_store());
        let near = Some(place.wrapping_add_signed(line.immediate()));
        let based = line
            .register(1)
            .and_then(|base| registers.get(&base))
            .map(|base| base.wrapping_add_signed(line.immediate()));
        let (address, computed) = match line.mnemonic() {
            "adrp" => (near.map(|address| address & !0xfff), true),
            "adr" => (near, true),
            "add" => (based, true),
            "b" | "bl" | "cbz" | "cbnz" | "tbz" | "tbnz" => (near, false),
            mnemonic if mnemonic.starts_with("b.") => (near, false),
            mnemonic if mnemonic.starts_with("ld") || mnemonic.starts_with("st") => (based, false),
            _ => (None, false),
        };
        if let Some(to) = to {
            match address.filter(|_| computed) {
                Some(address) => registers.insert(to, address),
                None => registers.remove(&to),
            };
        }
        reached.push(address);
    }
    reached
}
