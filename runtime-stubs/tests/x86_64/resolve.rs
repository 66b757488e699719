//! A call of a symbol without definition: stub, slot, missing thunk, context thunk, entry, handler.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use runtime_stubs::Arch;
use runtime_stubs::entry::{EntryContext, ResolveHandler, resolve_entry_address};

use crate::arena::{Arena, Sealed};
use crate::registers::{Registers, level, nothing, probe, ruin};

const INDEX: u32 = 0x8765_4321;

/// What a handler was asked, and what it shall answer.
struct Question {
    answer: u64,
    asked: Mutex<Vec<(u32, usize)>>,
}

/// An undefined symbol with its whole way into the host.
struct Undefined {
    stub: u64,
    question: Box<Question>,
    _context: Box<EntryContext>,
    _arena: Sealed,
}

impl Undefined {
    fn new(handler: ResolveHandler, answer: u64) -> Self {
        let question = Box::new(Question { answer, asked: Mutex::default() });
        let data = std::ptr::from_ref::<Question>(&question) as *mut c_void;
        let context = Box::new(EntryContext::new(handler, data));
        let arch = Arch::X86_64;
        let mut arena = Arena::new();
        let thunk =
            arch.context_thunk(std::ptr::from_ref::<EntryContext>(&context) as u64, resolve_entry_address());
        let thunk = arena.code(&thunk);
        let entry_cell = arena.cell(thunk);
        let missing = arena.here();
        arena.code(&arch.missing_thunk(missing, INDEX, entry_cell).unwrap());
        let slot = arena.cell(missing);
        let stub = arena.here();
        arena.code(&arch.stub(stub, slot).unwrap());
        Undefined { stub, question, _context: context, _arena: arena.seal() }
    }

    fn asked(&self) -> Vec<(u32, usize)> {
        self.question.asked.lock().unwrap().clone()
    }
}

unsafe extern "C-unwind" fn answer(data: *mut c_void, index: u32, return_address: usize) -> *const c_void {
    // SAFETY: `data` is the question of `Undefined::new`, which outlives the call.
    let question = unsafe { &*data.cast::<Question>() };
    question.asked.lock().unwrap().push((index, return_address));
    // SAFETY: ruins only what a callee may ruin, and the control words, which the entry restores.
    unsafe { ruin(level()) };
    question.answer as *const c_void
}

unsafe extern "C-unwind" fn refuse(_: *mut c_void, index: u32, _: usize) -> *const c_void {
    std::panic::resume_unwind(Box::new(index))
}

#[test]
fn every_register_but_r11_arrives() {
    let undefined = Undefined::new(answer, nothing as *const () as u64);
    let before = Registers::distinct(level());
    let mut after = Registers::zero();
    println!("vector registers: {:?}", level());
    // SAFETY: the stub ends in `nothing`; both structs are valid.
    unsafe { probe(&before, &mut after, undefined.stub, level()) };
    let asked = undefined.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].0, INDEX);
    let probe_start = probe as *const () as usize;
    assert!((probe_start..probe_start + 4096).contains(&asked[0].1));
    // The x87 stack is empty at a call by convention; here it was not, and is kept all the same.
    after.r11 = before.r11;
    before.assert_same(&after);
}

#[allow(clippy::too_many_arguments)]
extern "C" fn doubles(
    a: i64,
    b: i64,
    c: i64,
    d: i64,
    e: i64,
    f: i64,
    g: i64,
    s: f64,
    t: f64,
    u: f64,
    v: f64,
    w: f64,
    x: f64,
    y: f64,
    z: f64,
) -> f64 {
    (a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g) as f64
        + (s + 2. * t + 3. * u + 4. * v + 5. * w + 6. * x + 7. * y + 8. * z) / 1024.0
}

#[test]
fn arguments_in_registers_and_on_the_stack() {
    let undefined = Undefined::new(answer, doubles as *const () as u64);
    // SAFETY: the stub ends in `doubles`.
    let through = unsafe {
        std::mem::transmute::<
            *const (),
            extern "C" fn(i64, i64, i64, i64, i64, i64, i64, f64, f64, f64, f64, f64, f64, f64, f64) -> f64,
        >(undefined.stub as *const ())
    };
    let direct = doubles(1, 2, 3, 4, 5, 6, 7, 1., 2., 3., 4., 5., 6., 7., 8.);
    assert_eq!(through(1, 2, 3, 4, 5, 6, 7, 1., 2., 3., 4., 5., 6., 7., 8.), direct);
}

#[test]
fn variadic_calls_keep_al() {
    let undefined = Undefined::new(answer, libc::snprintf as *const () as u64);
    // SAFETY: the stub ends in `snprintf`.
    let print = unsafe {
        std::mem::transmute::<*const (), unsafe extern "C" fn(*mut c_char, usize, *const c_char, ...) -> c_int>(
            undefined.stub as *const (),
        )
    };
    let mut text = [0u8; 128];
    // SAFETY: the buffer is as long as said and the arguments fit the format.
    unsafe {
        print(
            text.as_mut_ptr().cast(),
            text.len(),
            c"%d %d %d %d %d %.1f %.1f %.1f %.1f %.1f %.1f %.1f %.1f %.1f".as_ptr(),
            1,
            2,
            3,
            4,
            5,
            0.5f64,
            1.5f64,
            2.5f64,
            3.5f64,
            4.5f64,
            5.5f64,
            6.5f64,
            7.5f64,
            8.5f64,
        )
    };
    assert_eq!(CStr::from_bytes_until_nul(&text).unwrap(), c"1 2 3 4 5 0.5 1.5 2.5 3.5 4.5 5.5 6.5 7.5 8.5");
}

#[test]
fn a_handler_may_unwind_through_the_entry() {
    struct Note<'a>(&'a Mutex<bool>);
    impl Drop for Note<'_> {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }
    let undefined = Undefined::new(refuse, 0);
    // SAFETY: the stub ends in a handler that unwinds.
    let call =
        unsafe { std::mem::transmute::<*const (), extern "C-unwind" fn()>(undefined.stub as *const ()) };
    for _ in 0..3 {
        let dropped = Mutex::new(false);
        let kept = std::hint::black_box([1u64, 2, 3, 4, 5, 6]);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _note = Note(&dropped);
            call();
        }));
        assert_eq!(*caught.unwrap_err().downcast::<u32>().unwrap(), INDEX);
        assert!(*dropped.lock().unwrap());
        assert_eq!(kept, [1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn a_backtrace_sees_the_caller() {
    unsafe extern "C-unwind" fn trace(data: *mut c_void, _: u32, return_address: usize) -> *const c_void {
        // SAFETY: the question of `Undefined::new`.
        let question = unsafe { &*data.cast::<Question>() };
        let mut frames = [std::ptr::null_mut(); 64];
        // SAFETY: the buffer is as long as said.
        let count = unsafe { libc::backtrace(frames.as_mut_ptr(), 64) } as usize;
        let found = frames[..count].iter().any(|&frame| frame as usize == return_address);
        // At least: this function, the entry, the caller, and somebody above it.
        let deep = count > 4;
        question.asked.lock().unwrap().push((u32::from(found && deep), 0));
        question.answer as *const c_void
    }
    let undefined = Undefined::new(trace, nothing as *const () as u64);
    // SAFETY: the stub ends in `nothing`.
    unsafe { std::mem::transmute::<*const (), extern "C-unwind" fn()>(undefined.stub as *const ())() };
    assert_eq!(undefined.asked(), [(1, 0)]);
}
