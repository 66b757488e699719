//! Enters the program: builds its argv and calls its `main` as the C library
//! would.
//!
//! Knows a symbol and arguments; nothing of how the program was loaded, and of its end only that
//! it goes through `exit.rs`.
#![allow(unsafe_code)] // calls an address as a C function

use std::ffi::{CString, OsString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

use hotslot::{ErrorKind, Runtime};

use super::failure::Failure;

unsafe extern "C" {
    /// libc's environment: the program must see later `setenv`s in it.
    static mut environ: *mut *mut c_char;
}

/// The program's arguments in the form `main` gets them.
pub struct Arguments {
    argv: Vec<*mut c_char>,
}

impl Arguments {
    /// Copies `words`, the first of which is `argv[0]`. The copies are never
    /// freed: a program may keep and change them for as long as it lives.
    pub fn new(words: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let mut argv = Vec::new();
        for word in words {
            let word = CString::new(word.into_vec())
                .map_err(|_| Failure::new("an argument of the program contains a NUL byte"))?;
            argv.push(word.into_raw());
        }
        argv.push(std::ptr::null_mut());
        Ok(Self { argv })
    }
}

/// The function that the program is in.
static ENTERED: OnceLock<String> = OnceLock::new();

/// The function that the program is in from its beginning to its end, once it is.
pub fn entered() -> Option<&'static str> {
    ENTERED.get().map(String::as_str)
}

/// The function a loaded program starts in.
pub struct Entry {
    address: *const c_void,
    symbol: String,
    /// Holds the function's code. Never dropped: the program may run until the very
    /// end of the process, its exit handlers included.
    _runtime: ManuallyDrop<Runtime>,
}

impl Entry {
    /// Looks `symbol` up. The runtime is taken over because it may not be dropped
    /// while the program runs.
    pub fn find(runtime: Runtime, symbol: &str) -> Result<Self, Failure> {
        match runtime.address_of(symbol) {
            Ok(address) => {
                let symbol = symbol.to_owned();
                Ok(Self { address, symbol, _runtime: ManuallyDrop::new(runtime) })
            }
            Err(error) if error.kind() == ErrorKind::Resolve => {
                Err(Failure::new(format!("no function `{symbol}` for the program to start in"))
                    .hint("name another function with --entry"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Calls the function as `main` and ends the process with what it returns,
    /// through libc's `exit`: handlers and destructors run and stdio is flushed as
    /// in a native program.
    pub fn run(self, arguments: Arguments) -> ! {
        // There is one.
        let _ = ENTERED.set(self.symbol);
        // SAFETY: the address is that of a function of the program, whose code is never freed;
        // that a function named with --entry is like `main` is the user's word.
        unsafe { enter(self.address, arguments) }
    }
}

/// Calls `entry` as the C library calls `main`, and ends the process with what it returns.
///
/// # Safety
/// It is the address of a `main`, or of a function that can be called like one, whose code is
/// never freed.
pub unsafe fn enter(entry: *const c_void, arguments: Arguments) -> ! {
    let argv = arguments.argv.leak();
    name_process(argv);
    let argc = c_int::try_from(argv.len() - 1).unwrap_or(c_int::MAX);
    // SAFETY: a plain read of libc's variable; no other thread of ours changes it.
    let envp = unsafe { environ };
    // SAFETY: the caller's word on the address, and the C calling convention lets a callee take
    // fewer arguments than it gets. argv ends with a null pointer and, like its strings, is
    // never freed.
    unsafe { outermost(entry, argc, argv.as_mut_ptr(), envp) }
}

/// Tells the C library the program's name, which it prints in messages.
fn name_process(argv: &[*mut c_char]) {
    unsafe extern "C" {
        static mut program_invocation_name: *mut c_char;
        static mut program_invocation_short_name: *mut c_char;
    }
    let Some(&name) = argv.first().filter(|name| !name.is_null()) else {
        return;
    };
    // SAFETY: `name` is a C string that is never freed; the program, which may read the
    // two variables, does not run yet.
    unsafe {
        let slash = libc::strrchr(name, c_int::from(b'/'));
        program_invocation_name = name;
        program_invocation_short_name = if slash.is_null() { name } else { slash.add(1) };
    }
}

/// Calls `entry(argc, argv, envp)`, then `exit` with its result.
///
/// Its unwind information says that the stack ends here. So an exception nobody
/// catches reaches `std::terminate` with its own message, and `pthread_exit` in
/// the program's main thread works, as both do natively; the Rust frames below,
/// which would catch either, are not seen. That needs assembly.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn outermost(
    entry: *const c_void,
    argc: c_int,
    argv: *mut *mut c_char,
    envp: *mut *mut c_char,
) -> ! {
    core::arch::naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        // The return address misaligned the stack by 8; a zero also ends frame chains.
        "xor ebp, ebp",
        "push rbp",
        "mov rax, rdi",
        "mov edi, esi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "call rax",
        "mov edi, eax",
        "call {exit}",
        "ud2",
        ".cfi_endproc",
        exit = sym super::exit::exit,
    )
}

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn outermost(
    entry: *const c_void,
    argc: c_int,
    argv: *mut *mut c_char,
    envp: *mut *mut c_char,
) -> ! {
    core::arch::naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined x30",
        "mov x29, xzr",
        "mov x16, x0",
        "mov w0, w1",
        "mov x1, x2",
        "mov x2, x3",
        "blr x16",
        "bl {exit}",
        "brk #1",
        ".cfi_endproc",
        exit = sym super::exit::exit,
    )
}
