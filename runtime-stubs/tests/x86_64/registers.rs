//! A probe: loads every register, calls, and notes what came back; and its opposite, which ruins
//! every register a function may ruin.

use std::arch::global_asm;

/// Everything the probe loads and notes. Offsets are used in the assembly below.
#[repr(C, align(64))]
#[derive(Clone)]
pub struct Registers {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub mxcsr: u64,
    pub masks: [u64; 8],
    pub x87_control: u64,
    pub x87_top: [u8; 16],
    pub x87_next: [u8; 16],
    pub unused: [u64; 3],
    pub vectors: [[u64; 8]; 32],
}

const _: () = assert!(std::mem::offset_of!(Registers, vectors) == 256);

/// Which vector registers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    Sse = 0,
    Avx = 1,
    Avx512 = 2,
}

pub fn level() -> Level {
    if std::is_x86_feature_detected!("avx512bw") {
        Level::Avx512
    } else if std::is_x86_feature_detected!("avx") {
        Level::Avx
    } else {
        Level::Sse
    }
}

impl Registers {
    /// Asserts that both hold the same; says at which bytes they do not, since a dump of 2 KiB says
    /// nothing.
    pub fn assert_same(&self, other: &Self) {
        let words = |r: &Self| {
            // SAFETY: integers only, without padding.
            unsafe { std::mem::transmute_copy::<Self, [u64; size_of::<Self>() / 8]>(r) }
        };
        let changed =
            (0..).step_by(8).zip(words(self).into_iter().zip(words(other))).find(|(_, (a, b))| a != b);
        assert_eq!(changed, None, "at byte, before, after");
    }

    pub fn zero() -> Self {
        // SAFETY: integers only.
        unsafe { std::mem::zeroed() }
    }

    /// A value of its own in every register that `level` has.
    pub fn distinct(level: Level) -> Self {
        let mut r = Self::zero();
        let value = |n: u64| 0x0101_0101_0101_0101u64.wrapping_mul(n) ^ 0xdead_0000_beef_0000;
        let general = [
            &mut r.rax, &mut r.rbx, &mut r.rcx, &mut r.rdx, &mut r.rsi, &mut r.rdi, &mut r.rbp, &mut r.r8,
            &mut r.r9, &mut r.r10, &mut r.r11, &mut r.r12, &mut r.r13, &mut r.r14, &mut r.r15,
        ];
        for (n, register) in (1..).zip(general) {
            *register = value(n);
        }
        // Round down, exceptions masked; and for x87 the same.
        r.mxcsr = 0x3f80;
        r.x87_control = 0x077f;
        let (registers, lanes) = match level {
            Level::Sse => (16, 2),
            Level::Avx => (16, 4),
            Level::Avx512 => (32, 8),
        };
        for n in 0..registers {
            for lane in 0..lanes {
                r.vectors[n][lane] = value((16 + 8 * n + lane) as u64);
            }
        }
        if level == Level::Avx512 {
            // k0 is left out: it cannot be a mask and carries nothing.
            for n in 1..8 {
                r.masks[n] = value(n as u64 + 100);
            }
        }
        // 1.0 on top, the next is pi, rounded down as the control word says.
        r.x87_top[7..10].copy_from_slice(&[0x80, 0xff, 0x3f]);
        r.x87_next[..10].copy_from_slice(&[0x34, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0, 0x40]);
        r
    }
}

unsafe extern "C-unwind" {
    /// Loads `before`, calls `target`, fills in `after`.
    pub fn probe(before: *const Registers, after: *mut Registers, target: u64, level: Level);
    /// Ruins every register that a callee may ruin, and the control words too.
    pub fn ruin(level: Level);
    /// Ruins the registers a callee must keep, then jumps to the function in `rax`.
    pub fn ruin_kept();
    /// Returns at once and changes nothing.
    pub fn nothing();
    /// Calls `[rax]` with a stack that is off by eight.
    pub fn call_skewed();
    /// Calls `[rax]` as a compiler would for a TLS descriptor, with the stack aligned.
    pub fn call_straight();
}

global_asm!(
    ".pushsection .text.probe,\"ax\",@progbits",
    ".globl probe",
    "probe:",
    ".cfi_startproc",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rcx",
    "push rdx",
    "push rsi",
    ".cfi_def_cfa_offset 80",
    "sub rsp, 16",
    ".cfi_def_cfa_offset 96",
    // [rsp+16] after, [rsp+24] target, [rsp+32] level; [rsp] saved control words.
    "stmxcsr [rsp]",
    "fnstcw [rsp + 4]",
    "cmp ecx, 1",
    "ja 3f",
    "je 2f",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups xmm\\n, [rdi + 256 + 64*\\n]",
    ".endr",
    "jmp 4f",
    "2:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovups ymm\\n, [rdi + 256 + 64*\\n]",
    ".endr",
    "jmp 4f",
    "3:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovups zmm\\n, [rdi + 256 + 64*\\n]",
    ".endr",
    ".irp n,1,2,3,4,5,6,7",
    "kmovq k\\n, [rdi + 128 + 8*\\n]",
    ".endr",
    "4:",
    "ldmxcsr [rdi + 120]",
    "fldcw [rdi + 192]",
    "fldpi",
    "fld1",
    "mov rax, [rdi]",
    "mov rbx, [rdi + 8]",
    "mov rcx, [rdi + 16]",
    "mov rdx, [rdi + 24]",
    "mov rsi, [rdi + 32]",
    "mov rbp, [rdi + 48]",
    "mov r8, [rdi + 56]",
    "mov r9, [rdi + 64]",
    "mov r10, [rdi + 72]",
    "mov r11, [rdi + 80]",
    "mov r12, [rdi + 88]",
    "mov r13, [rdi + 96]",
    "mov r14, [rdi + 104]",
    "mov r15, [rdi + 112]",
    "mov rdi, [rdi + 40]",
    "call [rsp + 24]",
    "push rax",
    "mov rax, [rsp + 24]",
    "mov [rax + 8], rbx",
    "mov [rax + 16], rcx",
    "mov [rax + 24], rdx",
    "mov [rax + 32], rsi",
    "mov [rax + 40], rdi",
    "mov [rax + 48], rbp",
    "mov [rax + 56], r8",
    "mov [rax + 64], r9",
    "mov [rax + 72], r10",
    "mov [rax + 80], r11",
    "mov [rax + 88], r12",
    "mov [rax + 96], r13",
    "mov [rax + 104], r14",
    "mov [rax + 112], r15",
    "stmxcsr [rax + 120]",
    "fnstcw [rax + 192]",
    "pop [rax]",
    // Empty registers would raise an invalid operation, masked, and store a NaN: seen as a change.
    "fstp tbyte ptr [rax + 200]",
    "fstp tbyte ptr [rax + 216]",
    "mov ecx, [rsp + 32]",
    "cmp ecx, 1",
    "ja 3f",
    "je 2f",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups [rax + 256 + 64*\\n], xmm\\n",
    ".endr",
    "jmp 4f",
    "2:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovups [rax + 256 + 64*\\n], ymm\\n",
    ".endr",
    "vzeroupper",
    "jmp 4f",
    "3:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovups [rax + 256 + 64*\\n], zmm\\n",
    ".endr",
    ".irp n,1,2,3,4,5,6,7",
    "kmovq [rax + 128 + 8*\\n], k\\n",
    ".endr",
    "vzeroupper",
    "4:",
    "ldmxcsr [rsp]",
    "fninit",
    "fldcw [rsp + 4]",
    "add rsp, 40",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".cfi_endproc",
    //
    ".globl ruin",
    "ruin:",
    "cmp edi, 1",
    "ja 3f",
    "je 2f",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "pcmpeqd xmm\\n, xmm\\n",
    ".endr",
    "jmp 4f",
    "2:",
    "vzeroall",
    "jmp 4f",
    "3:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vpternlogd zmm\\n, zmm\\n, zmm\\n, 255",
    ".endr",
    ".irp n,1,2,3,4,5,6,7",
    "kxnorq k\\n, k\\n, k\\n",
    ".endr",
    "4:",
    "push 0x1f80",
    "ldmxcsr [rsp]",
    "pop rax",
    "fninit",
    ".rept 8",
    "fldz",
    ".endr",
    "fninit",
    ".irp r,rax,rcx,rdx,rsi,rdi,r8,r9,r10,r11",
    "mov \\r, -1",
    ".endr",
    "ret",
    //
    ".globl ruin_kept",
    "ruin_kept:",
    ".irp r,rbx,rbp,r12,r13,r14,r15",
    "mov \\r, -1",
    ".endr",
    "push 0x1f80",
    "ldmxcsr [rsp]",
    "pop rcx",
    "jmp rax",
    //
    ".globl nothing",
    "nothing:",
    "ret",
    //
    ".globl call_skewed",
    "call_skewed:",
    "call [rax]",
    "ret",
    //
    ".globl call_straight",
    "call_straight:",
    "push rax",
    "call [rax]",
    "lea rsp, [rsp + 8]",
    "ret",
    ".popsection",
);
