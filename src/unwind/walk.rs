//! From a frame to its caller, by call frame information.
//!
//! Owns the registers of a frame and the step to the next one. Written for signal handlers: it
//! takes no lock for long, allocates nothing, and reads the stack through the kernel, so that a
//! pointer that leads nowhere is an answer and not another fault.
#![allow(unsafe_code)]

use std::slice;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

use super::known;
use super::libraries::find_object;

type Reader = EndianSlice<'static, LittleEndian>;

/// Room for the rules of a row, in the frame of whoever asks.
struct InPlace;

impl UnwindContextStorage<usize> for InPlace {
    type Rules = [(Register, RegisterRule<usize>); 20];
    type Stack = [UnwindTableRow<usize, Self>; 3];
}

/// What an address is, to the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Generated code.
    Generated,
    /// Code of a library, or of the host.
    Library,
    /// Neither.
    Unknown,
}

/// The registers of a frame by their DWARF numbers, the address of its code last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registers {
    words: [u64; 17],
    /// The frame was interrupted there: the address is the next instruction, not the one behind
    /// a call.
    pub(crate) exact: bool,
}

const RAX: usize = 0;
const RBP: usize = 6;
const RSP: usize = 7;
const RIP: usize = 16;

/// DWARF's order of the general registers, in that of `ucontext_t`.
const ORDER: [libc::c_int; 17] = [
    libc::REG_RAX,
    libc::REG_RDX,
    libc::REG_RCX,
    libc::REG_RBX,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_RBP,
    libc::REG_RSP,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
    libc::REG_RIP,
];

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// At the caller.
    Caller,
    /// At the code that a signal had interrupted, whose mask of blocked signals was this.
    Interrupted(u64),
    /// There is none, or it cannot be found.
    End,
}

/// The word at `address`, if there is memory.
pub(crate) fn read_word(address: u64) -> Option<u64> {
    let mut word = 0u64;
    let local = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: 8 };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: 8 };
    // SAFETY: the local part is valid for writes; the kernel checks the other.
    // By this thread's number: the first one, which has the process's, may have ended.
    let read = unsafe { libc::process_vm_readv(libc::gettid(), &local, 1, &remote, 1, 0) };
    // SAFETY: the calling thread's own.
    let forbidden = || matches!(unsafe { *libc::__errno_location() }, libc::ENOSYS | libc::EPERM);
    match read {
        8 => Some(word),
        -1 if forbidden() => read_file(address),
        _ => None,
    }
}

/// The same where a filter forbids the call.
fn read_file(address: u64) -> Option<u64> {
    let mut word = 0u64;
    // SAFETY: a name that ends with a zero byte, and a word that is valid for writes; the kernel
    // checks the address. A signal's handler may make these calls.
    let read = unsafe {
        let file = libc::open(c"/proc/thread-self/mem".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let read = libc::pread(file, (&raw mut word).cast(), 8, address.cast_signed());
        libc::close(file);
        read
    };
    (read == 8).then_some(word)
}

impl Registers {
    /// Those that a signal has interrupted.
    pub(crate) fn interrupted(registers: &[i64; 23]) -> Self {
        Self { words: ORDER.map(|index| registers[index as usize] as u64), exact: true }
    }

    /// Where the code is: for a caller the last byte of its call.
    pub(crate) fn code(&self) -> u64 {
        self.words[RIP].wrapping_sub(u64::from(!self.exact))
    }

    pub(crate) fn sp(&self) -> u64 {
        self.words[RSP]
    }

    /// What a system call has returned, just behind it.
    pub(crate) fn result(&self) -> i64 {
        self.words[RAX].cast_signed()
    }

    /// To the caller of a function that has not touched the stack yet.
    pub(crate) fn pop(&mut self) -> Step {
        let Some(to) = read_word(self.words[RSP]) else { return Step::End };
        self.words[RSP] = self.words[RSP].wrapping_add(8);
        self.go_to(to)
    }

    fn go_to(&mut self, address: u64) -> Step {
        self.words[RIP] = address;
        self.exact = false;
        if address == 0 { Step::End } else { Step::Caller }
    }

    /// To the caller. The frame's code is `what`; of generated code `is_code` says whether an
    /// address is in it, and `top` where its stack ends at the latest.
    pub(crate) fn step(&mut self, what: Stack, top: u64, is_code: impl Fn(u64) -> bool) -> Step {
        if let Some(mask) = self.leave_handler() {
            return Step::Interrupted(mask);
        }
        let code = self.code();
        let found = match what {
            Stack::Generated => known::at(code, |records| {
                // SAFETY: the records stay while the list that they are in is locked; they were
                // checked, and a word of zeroes ends them before the end of the address space.
                let bytes = unsafe { section(records.begin, 1 << 30) };
                let bases = BaseAddresses::default().set_eh_frame(records.begin);
                let frames = EhFrame::from(bytes);
                let fde = frames.fde_for_address(&bases, code, EhFrame::cie_from_offset).ok()?;
                self.apply(&frames, &bases, &fde)
            }),
            Stack::Library => self.step_library(code),
            Stack::Unknown => None,
        };
        match (found, what) {
            (Some(step), _) => step,
            (None, Stack::Generated) => self.search(top, is_code),
            (None, _) => Step::End,
        }
    }

    fn step_library(&mut self, code: u64) -> Option<Step> {
        let object = find_object(code).filter(|object| object.frames != 0)?;
        let length = object.range.end.checked_sub(object.frames)?;
        // SAFETY: a loaded object's header of frame records, which the unwinder reads as well.
        let header = unsafe { section(object.frames, length) };
        let bases = BaseAddresses::default().set_eh_frame_hdr(object.frames);
        let header = EhFrameHdr::from(header).parse(&bases, 8).ok()?;
        let begin = header.eh_frame_ptr().direct().ok()?;
        let bases = bases.set_eh_frame(begin);
        // SAFETY: as above.
        let frames = EhFrame::from(unsafe { section(begin, object.range.end.checked_sub(begin)?) });
        let fde = header.table()?.fde_for_address(&frames, &bases, code, EhFrame::cie_from_offset).ok()?;
        self.apply(&frames, &bases, &fde)
    }

    fn apply(
        &mut self,
        frames: &EhFrame<Reader>,
        bases: &BaseAddresses,
        fde: &gimli::FrameDescriptionEntry<Reader>,
    ) -> Option<Step> {
        let mut context = UnwindContext::<usize, InPlace>::new_in();
        let row = fde.unwind_info_for_address(frames, bases, &mut context, self.code()).ok()?;
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                self.words.get(usize::from(register.0))?.wrapping_add_signed(*offset)
            }
            // Of the code that leads to other objects, which begins with the stack untouched.
            CfaRule::Expression(_) => self.words[RSP].wrapping_add(8),
        };
        let mut next = *self;
        for (register, rule) in row.registers() {
            let Some(word) = next.words.get_mut(usize::from(register.0)) else { continue };
            match rule {
                RegisterRule::Offset(offset) => *word = read_word(cfa.wrapping_add_signed(*offset))?,
                RegisterRule::ValOffset(offset) => *word = cfa.wrapping_add_signed(*offset),
                RegisterRule::Register(other) => *word = *self.words.get(usize::from(other.0))?,
                RegisterRule::Undefined if usize::from(register.0) == RIP => return Some(Step::End),
                RegisterRule::Undefined | RegisterRule::SameValue => {}
                _ => return None,
            }
        }
        // A stack that does not get shorter would never end.
        if cfa <= self.words[RSP] && !self.exact {
            return Some(Step::End);
        }
        next.words[RSP] = cfa;
        let to = next.words[RIP];
        *self = next;
        Some(self.go_to(to))
    }

    /// From where a signal's handler returns to, to what the signal interrupted.
    fn leave_handler(&mut self) -> Option<u64> {
        // mov $15, %rax; syscall
        const RETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
        if self.exact {
            return None;
        }
        let at = self.words[RIP];
        let first = read_word(at)?;
        if first.to_le_bytes() != RETURN[..8] || read_word(at + 1)?.to_le_bytes() != RETURN[1..] {
            return None;
        }
        let context = self.words[RSP];
        let registers = context + std::mem::offset_of!(libc::ucontext_t, uc_mcontext) as u64;
        let mask = read_word(context + std::mem::offset_of!(libc::ucontext_t, uc_sigmask) as u64)?;
        let mut all = [0i64; 23];
        for (index, to) in (0u64..).zip(&mut all) {
            *to = read_word(registers + index * 8)? as i64;
        }
        *self = Self::interrupted(&all);
        Some(mask)
    }

    /// From generated code that nothing is known of, to the next word on the stack that is behind
    /// a call in generated code, up to `top`.
    fn search(&mut self, top: u64, is_code: impl Fn(u64) -> bool) -> Step {
        /// Frames of more words than that are not searched.
        const FAR: u64 = 512;
        let start = self.words[RSP];
        for at in (0..FAR).map(|n| start.wrapping_add(n * 8)).take_while(|at| *at < top) {
            let Some(word) = read_word(at) else { return Step::End };
            if is_code(word) && is_code(word.wrapping_sub(8)) && follows_call(word) {
                self.words[RSP] = at + 8;
                // Functions that keep it there have it just below.
                if let Some(rbp) = at.checked_sub(8).filter(|at| *at >= start).and_then(read_word)
                    && rbp > at
                    && rbp < top
                {
                    self.words[RBP] = rbp;
                }
                return self.go_to(word);
            }
        }
        Step::End
    }
}

/// Whether the instruction before `address`, which is in generated code, may be a call.
fn follows_call(address: u64) -> bool {
    let Some(before) = read_word(address.wrapping_sub(8)).map(u64::to_le_bytes) else { return false };
    // call rel32; call *slot(%rip); call *disp(%reg) of 8 or 32 bits; call *%reg, with its prefix.
    let indirect = |at: usize| before[at] == 0xff && before[at + 1] & 0x38 == 0x10;
    before[3] == 0xe8 || indirect(2) || indirect(5) || indirect(6) || indirect(4)
}

/// # Safety
/// What is read of it is a loaded object's, or an image's that is known.
unsafe fn section(begin: u64, length: u64) -> Reader {
    // SAFETY: by the contract above; the reader takes what the records' lengths say.
    EndianSlice::new(unsafe { slice::from_raw_parts(begin as *const u8, length as usize) }, LittleEndian)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_in_both_ways_where_there_is_one() {
        let word = 0x1234_5678_9abc_def0u64;
        let at = (&raw const word) as u64;
        assert_eq!((read_word(at), read_file(at)), (Some(word), Some(word)));
        assert_eq!((read_word(8), read_file(8)), (None, None));
    }
}
