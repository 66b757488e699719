//! Waits that a signal of hotslot's has met, which the program knows nothing of.
//!
//! Owns which system calls may be made again where the kernel ends them whatever a handler's
//! flags say. Called in handlers of signals; knows nothing of why one was sent.
#![allow(unsafe_code)]

use std::ffi::c_int;

/// Has the calling thread begin the wait again that a signal has met. One that has a limit
/// begins with the whole of it: for a signal that comes `often` it would never end, so that one
/// is left as it is, ended by a signal as far as the program can see.
pub(crate) fn wait_on(registers: &mut [i64; 23], often: bool) {
    const PAGE: u64 = 4096;
    let pc = registers[libc::REG_RIP as usize] as u64;
    // `mov $number, %eax; syscall`, both on one page.
    if registers[libc::REG_RAX as usize] != -i64::from(libc::EINTR) || pc % PAGE < 7 {
        return;
    }
    // SAFETY: the instruction before `pc` was just executed, if this is the end of a system
    // call; in any case `pc` is about to be, and its page can be read.
    let code = unsafe { (pc.wrapping_sub(7) as *const [u8; 7]).read_volatile() };
    let [0xb8, a, b, c, d, 0x0f, 0x05] = code else { return };
    let number = i64::from(i32::from_le_bytes([a, b, c, d]));
    if !may_repeat(number, registers) || (often && !limit_stays(number, registers)) {
        return;
    }
    registers[libc::REG_RAX as usize] = number;
    registers[libc::REG_RIP as usize] = pc.wrapping_sub(2) as i64;
}

fn register(registers: &[i64; 23], index: c_int) -> u64 {
    registers[index as usize] as u64
}

/// Whether the call may be made again with the same arguments.
fn may_repeat(number: i64, registers: &[i64; 23]) -> bool {
    /// Not those that are meant to be ended by a signal, as `pause` is, and the next ones with
    /// a mask.
    const WAITS: [i64; 8] = [
        libc::SYS_poll,
        libc::SYS_select,
        libc::SYS_epoll_wait,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_futex,
        libc::SYS_semop,
        libc::SYS_semtimedop,
    ];
    match number {
        libc::SYS_ppoll => register(registers, libc::REG_R10) == 0,
        libc::SYS_epoll_pwait => register(registers, libc::REG_R8) == 0,
        libc::SYS_pselect6 => {
            let mask = register(registers, libc::REG_R9) as *const u64;
            // SAFETY: null, or what the kernel read the mask's address from.
            mask.is_null() || unsafe { mask.read_volatile() } == 0
        }
        _ => WAITS.contains(&number),
    }
}

/// Whether it ends when it would have ended: it has no limit, or one that is a point in time, or
/// the kernel has counted what is left.
fn limit_stays(number: i64, registers: &mut [i64; 23]) -> bool {
    let argument = |index| register(registers, index);
    match number {
        libc::SYS_poll => (argument(libc::REG_RDX) as i32) < 0,
        libc::SYS_epoll_wait | libc::SYS_epoll_pwait => (argument(libc::REG_R10) as i32) < 0,
        // These write it to where the limit is, for those that come here by the system call.
        libc::SYS_select | libc::SYS_pselect6 | libc::SYS_ppoll => true,
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep => {
            let absolute = number == libc::SYS_clock_nanosleep
                && argument(libc::REG_RSI) & libc::TIMER_ABSTIME as u64 != 0;
            let (request, left) = match number {
                libc::SYS_nanosleep => (libc::REG_RDI, libc::REG_RSI),
                _ => (libc::REG_RDX, libc::REG_R10),
            };
            let at = argument(left);
            if !absolute && at != 0 {
                registers[request as usize] = at as i64;
            }
            absolute || at != 0
        }
        libc::SYS_futex => {
            const WAIT_BITSET: u64 = 9;
            argument(libc::REG_R10) == 0 || argument(libc::REG_RSI) & 0x7f == WAIT_BITSET
        }
        libc::SYS_semtimedop => argument(libc::REG_R10) == 0,
        _ => number == libc::SYS_semop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(number: i64, set: &[(c_int, i64)]) -> (bool, [i64; 23]) {
        let mut registers = [0; 23];
        for &(index, value) in set {
            registers[index as usize] = value;
        }
        (limit_stays(number, &mut registers), registers)
    }

    #[test]
    fn a_limit_is_not_begun_again_and_again() {
        assert!(repeats(libc::SYS_poll, &[(libc::REG_RDX, -1)]).0);
        assert!(!repeats(libc::SYS_poll, &[(libc::REG_RDX, 1000)]).0);
        assert!(!repeats(libc::SYS_epoll_wait, &[(libc::REG_R10, 0)]).0);
        assert!(!repeats(libc::SYS_nanosleep, &[(libc::REG_RDI, 64)]).0, "nobody counts");
        let (again, registers) = repeats(libc::SYS_nanosleep, &[(libc::REG_RDI, 64), (libc::REG_RSI, 128)]);
        assert!(again && registers[libc::REG_RDI as usize] == 128, "the rest only");
        let till =
            [(libc::REG_RSI, i64::from(libc::TIMER_ABSTIME)), (libc::REG_RDX, 64), (libc::REG_R10, 128)];
        let (again, registers) = repeats(libc::SYS_clock_nanosleep, &till);
        assert!(again && registers[libc::REG_RDX as usize] == 64);
        assert!(!repeats(libc::SYS_futex, &[(libc::REG_R10, 64)]).0);
        assert!(repeats(libc::SYS_futex, &[(libc::REG_R10, 64), (libc::REG_RSI, 0x189)]).0);
    }
}
