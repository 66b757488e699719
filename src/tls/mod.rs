//! Thread-local storage of generated code.
//!
//! Every module with thread-local variables has a template; each thread gets its own
//! block of it when it first touches one of its variables, and gives it back when it ends, after the
//! destructors of C++ `thread_local` objects have run. Code compiled for the initial-exec
//! or local-exec model, which adds a constant to the thread pointer, is served from a
//! small pool in the host's own static TLS, which is filled when the code is loaded or the
//! thread starts. A thread that hotslot has not met when the code is loaded, one of the
//! host's that never touched a thread-local variable of generated code, is not reached:
//! such a variable holds there what the pool held before, zeroes at first.
//!
//! Owns templates and blocks; knows nothing of symbols or relocations.
#![allow(unsafe_code)]

mod access;
mod forkable;
mod parts;
mod pool;
#[cfg(test)]
mod tests;

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Once, OnceLock, Weak};

use crate::error::{Error, ErrorKind, Result};
pub(crate) use access::{descriptor_address, foreign_word, tls_get_addr};
pub(crate) use forkable::{Forkable, Guard, around_forks};
pub(crate) use parts::Part;
pub(crate) use pool::thread_pointer;
use pool::{POOL_ALIGN, POOL_SIZE, Parts};

/// Set in the word of every pair that names a template of ours. A word of the C library
/// is a small module number.
const OURS: u64 = 1 << 63;
/// Set when the rest of the word is the address of a pair of the C library's, which
/// names a thread-local variable of a shared library.
const FOREIGN: u64 = 1 << 62;

/// The initial contents of a module's thread-local block.
struct Template {
    layout: Layout,
    init: Vec<u8>,
    /// Where the block lies relative to the thread pointer, for one in the static pool.
    in_pool: Option<i64>,
}

impl Template {
    /// Writes the initial contents over the block's part of the pool of the thread whose
    /// pointer is given.
    ///
    /// # Safety
    /// That thread lives, and no code uses its part yet.
    unsafe fn fill(&self, thread_pointer: *mut u8) {
        let Some(offset) = self.in_pool else { return };
        let block = thread_pointer.wrapping_offset(offset as isize);
        let rest = self.layout.size() - self.init.len();
        // SAFETY: a part of the thread's pool as large as the layout; `init` is no larger.
        unsafe {
            block.copy_from_nonoverlapping(self.init.as_ptr(), self.init.len());
            block.add(self.init.len()).write_bytes(0, rest);
        }
    }
}

struct Registry {
    templates: Vec<Option<Template>>,
    free: Vec<u32>,
    /// Every thread that was started by generated code or has touched a block, and has
    /// not ended.
    threads: Vec<ThreadPtr>,
    pool: Parts,
    /// Variables of shared libraries, as the C library names them.
    foreign: Vec<&'static [u64; 2]>,
}

/// A thread's blocks, by template index. Only its owner replaces the slice, under the
/// registry's lock; others only clear entries, under the same lock.
struct Thread {
    blocks: Box<[AtomicPtr<u8>]>,
    /// The thread pointer, which leads to its pool; null where its end would go unnoticed.
    pointer: *mut u8,
    /// How often its end was put off.
    rounds: usize,
}

struct ThreadPtr(*mut Thread);
// SAFETY: the pointee lives until its thread removes it from the registry, and is
// accessed by other threads only under the registry's lock.
unsafe impl Send for ThreadPtr {}

static REGISTRY: Forkable<Registry> = Forkable::new(Registry {
    templates: Vec::new(),
    free: Vec::new(),
    threads: Vec::new(),
    pool: Parts::new(),
    foreign: Vec::new(),
});

/// Keeps the registry whole in forked processes. There it still has the parent's threads:
/// their blocks are memory of the child, too, but their stacks and pools are given up.
///
/// To be called before generated code can register fork handlers: one that runs while the
/// registry is held would not have to wait for other threads only.
pub(crate) fn survive_forks() {
    unsafe extern "C" fn before() {
        // SAFETY: a static.
        unsafe { REGISTRY.hold() };
    }
    unsafe extern "C" fn parent() {
        // SAFETY: the C library calls `before` first, in the same thread.
        drop(unsafe { REGISTRY.release() });
    }
    unsafe extern "C" fn child() {
        // SAFETY: as in `parent`; this is the copy of that thread.
        let Some(registry) = (unsafe { REGISTRY.release() }) else { return };
        for other in registry.threads.iter().filter(|thread| thread.0 != CURRENT.get()) {
            // SAFETY: the records are still registered, and their owners are not here.
            unsafe { (*other.0).pointer = null_mut() };
        }
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| around_forks(before, parent, child));
}

thread_local! {
    static CURRENT: Cell<*mut Thread> = const { Cell::new(null_mut()) };
    /// Set when nothing of ours is called any more before the thread is gone.
    static ENDED: Cell<bool> = const { Cell::new(false) };
}

/// A registered template. Dropped when nothing can refer to its variables any more; every
/// thread's block goes with it.
#[derive(Debug)]
pub(crate) struct TlsBlock {
    index: u32,
    in_pool: Option<i64>,
    /// Spare room included.
    pub(crate) size: usize,
    align: usize,
    parts: parking_lot::Mutex<Vec<Weak<Part>>>,
    /// Set until code can use it.
    fresh: AtomicBool,
}

impl TlsBlock {
    /// Registers a zeroed block for variables that take `size` bytes, with room for more.
    /// `static_model` asks for a constant offset from the thread pointer.
    pub(crate) fn register(size: usize, align: usize, static_model: bool) -> Result<Arc<Self>> {
        let layout = |(size, align): (usize, usize)| {
            Layout::from_size_align(size.max(1), align.max(1)).map_err(|_| {
                Error::new(ErrorKind::Link, format!("a thread-local block of {size} bytes is too large"))
            })
        };
        let mut roomy = layout(parts::roomy(size, align, static_model))?;
        crate::fault::step("thread-locals")?;
        let mut registry = REGISTRY.lock();
        let mut in_pool = None;
        if static_model {
            let taken = match take_from_pool(&mut registry, roomy) {
                Ok(taken) => taken,
                Err(_) => {
                    roomy = layout((size, align))?;
                    take_from_pool(&mut registry, roomy)?
                }
            };
            in_pool = Some(taken);
        }
        let template = Template { layout: roomy, init: Vec::new(), in_pool };
        let index = match registry.free.pop() {
            Some(index) => {
                registry.templates[index as usize] = Some(template);
                index
            }
            None => {
                registry.templates.push(Some(template));
                registry.templates.len() as u32 - 1
            }
        };
        let (size, align, parts) = (roomy.size(), roomy.align(), Default::default());
        Ok(Arc::new(Self { index, in_pool, size, align, parts, fresh: AtomicBool::new(true) }))
    }

    /// From now on code can use it, on the calling thread first, which need not be the one that
    /// gave it its initial values nor one that was known then.
    pub(crate) fn publish(&self) {
        if !self.fresh.swap(false, Ordering::AcqRel) || self.in_pool.is_none() {
            return;
        }
        let registry = REGISTRY.lock();
        if let Some(template) = &registry.templates[self.index as usize] {
            // SAFETY: the calling thread's own part, which no code has used so far.
            unsafe { template.fill(thread_pointer()) };
        }
    }

    /// The word by which a pair names the variable at `offset` of this block.
    pub(crate) fn word(&self, offset: u64) -> u64 {
        OURS | u64::from(self.index) << 32 | (offset & 0xffff_ffff)
    }

    /// The block's offset from the thread pointer, if it is a constant.
    pub(crate) fn thread_offset(&self) -> Option<i64> {
        self.in_pool
    }
}

impl Drop for TlsBlock {
    fn drop(&mut self) {
        let mut registry = REGISTRY.lock();
        let Some(template) = registry.templates[self.index as usize].take() else { return };
        for thread in &registry.threads {
            // SAFETY: registered threads live, and their slices change only under the lock.
            let blocks = unsafe { &(*thread.0).blocks };
            if let Some(entry) = blocks.get(self.index as usize) {
                let block = entry.swap(null_mut(), Ordering::AcqRel);
                release(block, &template);
            }
        }
        if let (Some(offset), Some(base)) = (template.in_pool, pool::offset()) {
            registry.pool.give((offset - base) as usize, template.layout.size());
        }
        registry.free.push(self.index);
    }
}

fn release(block: *mut u8, template: &Template) {
    if !block.is_null() && template.in_pool.is_none() {
        // SAFETY: allocated in `slow_block` with this layout, and taken out of the only
        // table that named it.
        unsafe { dealloc(block, template.layout) }
    }
}

/// The constant offset from the thread pointer of the variable that `word` names, if it
/// has one.
pub(crate) fn thread_offset(word: u64) -> Option<u64> {
    if word & (OURS | FOREIGN) != OURS {
        return None;
    }
    let registry = REGISTRY.lock();
    let template = registry.templates.get((word >> 32) as usize & 0x3fff_ffff)?.as_ref()?;
    Some((template.in_pool? as u64).wrapping_add(word & 0xffff_ffff))
}

/// The address of the variable of ours that `word` names, in the calling thread.
fn address(word: u64) -> *mut u8 {
    let (index, offset) = ((word >> 32) as u32 & 0x3fff_ffff, word as u32 as usize);
    let thread = CURRENT.get();
    if !thread.is_null() {
        // SAFETY: the thread's own record, alive until the thread ends.
        let blocks = unsafe { &(*thread).blocks };
        if let Some(entry) = blocks.get(index as usize) {
            let block = entry.load(Ordering::Relaxed);
            if !block.is_null() {
                return block.wrapping_add(offset);
            }
        }
    }
    slow_block(index).wrapping_add(offset)
}

#[cold]
fn slow_block(index: u32) -> *mut u8 {
    let mut registry = REGISTRY.lock();
    let thread = this_thread(&mut registry);
    // SAFETY: the thread's own record; the lock keeps others out while it is replaced.
    let blocks = unsafe { &mut (*thread).blocks };
    if blocks.len() <= index as usize {
        let wanted = (index as usize + 1).next_power_of_two().max(16);
        let mut larger: Vec<AtomicPtr<u8>> = std::mem::take(blocks).into_vec();
        larger.resize_with(wanted, AtomicPtr::default);
        *blocks = larger.into_boxed_slice();
    }
    // A word that names no template comes from a pair of memory that was freed: generated
    // code is broken, and a null address stops it.
    let Some(template) = registry.templates.get(index as usize).and_then(Option::as_ref) else {
        return null_mut();
    };
    let block = match template.in_pool {
        Some(offset) => thread_pointer().wrapping_offset(offset as isize),
        None => {
            // SAFETY: the layout is not empty.
            let block = unsafe { alloc_zeroed(template.layout) };
            if block.is_null() {
                std::alloc::handle_alloc_error(template.layout);
            }
            // SAFETY: `init` is no longer than the layout's size.
            unsafe { block.copy_from_nonoverlapping(template.init.as_ptr(), template.init.len()) };
            block
        }
    };
    blocks[index as usize].store(block, Ordering::Relaxed);
    block
}

/// The calling thread's record, made and registered if it has none.
fn this_thread(registry: &mut Registry) -> *mut Thread {
    let mut thread = CURRENT.get();
    if thread.is_null() {
        let record = Thread { blocks: Box::new([]), pointer: null_mut(), rounds: 0 };
        thread = Box::into_raw(Box::new(record));
        if !ENDED.get() && at_thread_end(thread) {
            // SAFETY: just made, and not yet registered.
            unsafe { (*thread).pointer = thread_pointer() };
        }
        CURRENT.set(thread);
        registry.threads.push(ThreadPtr(thread));
    }
    thread
}

/// Arranges for the thread's blocks to be freed when it ends. The C library runs these
/// destructors after those of C++ `thread_local` objects, which may still use the blocks.
///
/// Where it returns false, for want of memory, the blocks outlive the thread.
fn at_thread_end(thread: *mut Thread) -> bool {
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is valid for a write; the destructor has the right signature.
        (unsafe { libc::pthread_key_create(&mut key, Some(end_thread)) } == 0).then_some(key)
    });
    // SAFETY: the key was created above, and its destructor takes a thread's record.
    key.is_some_and(|key| unsafe { libc::pthread_setspecific(key, thread.cast()) } == 0)
}

/// How often the C library calls the destructors of a thread's keys as long as some are
/// set again.
const DESTRUCTOR_ROUNDS: usize = 4;

unsafe extern "C" fn end_thread(thread: *mut c_void) {
    let thread: *mut Thread = thread.cast();
    // SAFETY: the calling thread's own record; others read only its blocks and pointer.
    let rounds = unsafe { &mut (*thread).rounds };
    *rounds += 1;
    // The program's own keys have destructors as well, which may use the blocks and come
    // later in the same round, or in the next.
    if *rounds < DESTRUCTOR_ROUNDS && at_thread_end(thread) {
        return;
    }
    let mut registry = REGISTRY.lock();
    registry.threads.retain(|t| t.0 != thread);
    CURRENT.set(null_mut());
    ENDED.set(true);
    // SAFETY: made by `Box::into_raw` in `slow_block`; no longer registered, and only its
    // own thread, which is here, has another pointer to it.
    let thread = unsafe { Box::from_raw(thread) };
    for (entry, template) in thread.blocks.iter().zip(&registry.templates) {
        if let Some(template) = template {
            release(entry.load(Ordering::Relaxed), template);
        }
    }
}

fn take_from_pool(registry: &mut Registry, layout: Layout) -> Result<i64> {
    let refuse = |why: &str| {
        Err(Error::new(
            ErrorKind::Link,
            format!("cannot place a thread-local variable for the initial-exec model: {why}"),
        )
        .hint("compile with -fPIC and without -ftls-model=initial-exec or local-exec"))
    };
    let Some(base) = pool::offset() else {
        return refuse("the host's own static TLS has no fixed place, as in a library opened at run time");
    };
    if layout.align() > POOL_ALIGN {
        return refuse(&format!("its alignment is larger than {POOL_ALIGN} bytes"));
    }
    match registry.pool.take(layout) {
        Some(start) => Ok(base + start as i64),
        None => refuse(&format!("no {} bytes in a row are free of {POOL_SIZE}", layout.size())),
    }
}

/// Gives a thread that is about to start generated code the initial values of the
/// variables in its part of the static pool, and remembers it for code that is loaded
/// later. Blocks of the other kind are made lazily.
pub(crate) fn start_thread() {
    let mut registry = REGISTRY.lock();
    this_thread(&mut registry);
    for template in registry.templates.iter().flatten() {
        // SAFETY: the calling thread's own pool, which nothing in it uses yet.
        unsafe { template.fill(thread_pointer()) };
    }
}

/// How many blocks of this size are registered.
#[cfg(test)]
pub(crate) fn registered(size: usize) -> usize {
    REGISTRY.lock().templates.iter().flatten().filter(|template| template.layout.size() == size).count()
}
