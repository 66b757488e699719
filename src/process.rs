//! Symbols of the process: shared libraries and the names they define.
//!
//! Owns open libraries and the order in which they are searched; [`crate::libraries`] finds
//! their files. It deliberately knows nothing of slots; [`crate::runtime`] makes providers of
//! what is found here.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::fork_gate;
use crate::tls::{self, Forkable, Guard};

/// Held by who opens a library, whose constructors may use a runtime, and by who asks for its
/// symbols while the runtime's lock is held. Otherwise one could have the dynamic linker's lock and
/// wait for the runtime's, and the other the other way round. A child of fork gets another.
static LOADING: AtomicPtr<Forkable<()>> = AtomicPtr::new((&raw const FIRST).cast_mut());
static FIRST: Forkable<()> = Forkable::new(());

/// Takes the lock above, before that of any runtime; `None` if this thread has it already.
pub(crate) fn loading() -> Option<Guard<'static, ()>> {
    // SAFETY: a static, or leaked by `survive_forks`.
    unsafe { &*LOADING.load(Ordering::Acquire) }.lock_once()
}

/// Not held for a fork: a constructor may take long, and wait for the thread that forks.
pub(crate) fn survive_forks() {
    unsafe extern "C" fn nothing() {}
    unsafe extern "C" fn child() {
        // SAFETY: as in `loading`.
        if !unsafe { &*LOADING.load(Ordering::Acquire) }.is_mine() {
            LOADING.store(Box::leak(Box::new(Forkable::new(()))), Ordering::Release);
        }
    }
    tls::around_forks(nothing, nothing, child);
}

/// An open library, closed when dropped.
#[derive(Debug)]
pub(crate) struct Library(*mut c_void);

// SAFETY: the handle is only passed to dlsym and dlclose, which any thread may call.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Opens the library at `path`, a file, or a bare name for the dynamic linker to find.
    /// Its constructors run, on this thread: a caller that holds a lock of the runtime's
    /// would keep them from using it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let refuse = |message: String| Error::new(ErrorKind::Read, message).in_file(path.to_str());
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| refuse("a library's path cannot contain a zero byte".into()))?;
        let _loading = loading();
        load(&name).map(Self).map_err(|why| refuse(format!("cannot open shared library: {why}")))
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _turn = fork_gate::ending();
        // SAFETY: returned by dlopen, closed once. The runtime drops its libraries after
        // the code that refers to them.
        unsafe { libc::dlclose(self.0) };
    }
}

/// Where names are looked up that no module defines.
pub(crate) struct Process {
    /// Search the whole process first: the host's exported symbols and every library it
    /// was linked with.
    whole: bool,
    libraries: Vec<Library>,
}

/// What a found name is, as far as the dynamic linker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub address: u64,
    pub function: bool,
}

impl Process {
    pub(crate) fn new(whole: bool) -> Self {
        Self { whole, libraries: Vec::new() }
    }

    /// Searches `library` after those opened before; false if it is one of them.
    pub(crate) fn add(&mut self, library: Library) -> bool {
        // One more that is the same is closed at once, which only counts down.
        let new = self.libraries.iter().all(|known| known.0 != library.0);
        if new {
            self.libraries.push(library);
        }
        new
    }

    /// The offset from the thread pointer of the thread-local variable `name`, if it is the
    /// same in every thread: that of a library loaded with the program.
    pub(crate) fn thread_offset(&self, name: &str) -> Option<u64> {
        let here = || Some(self.find(name)?.address.wrapping_sub(tls::thread_pointer() as u64));
        let elsewhere = std::thread::scope(|scope| scope.spawn(here).join().ok().flatten());
        elsewhere.filter(|_| elsewhere == here())
    }

    /// Looks `name` up in the process, then in each library in the order opened.
    ///
    /// The caller may hold the runtime's lock. The only code of a library that can run here
    /// is the resolver of an indirect function, which has no business with the runtime.
    pub(crate) fn find(&self, name: &str) -> Option<Found> {
        let name = CString::new(name).ok()?;
        let whole = self.whole.then_some(libc::RTLD_DEFAULT);
        let handles = whole.into_iter().chain(self.libraries.iter().map(|l| l.0));
        for handle in handles {
            // SAFETY: an open handle and a C string.
            let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
            if !address.is_null() {
                return Some(Found { address: address as u64, function: is_function(address) });
            }
        }
        None
    }
}

fn load(name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: a C string. The library's constructors run, as the caller asked for.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(handle);
    }
    // SAFETY: returns null or a C string valid until the next call in this thread.
    let why = unsafe { libc::dlerror() };
    if why.is_null() {
        return Err("unknown reason".into());
    }
    // SAFETY: not null, a C string.
    Err(unsafe { CStr::from_ptr(why) }.to_string_lossy().into_owned())
}

/// Whether `address` is that of a function, by the symbol table of its library.
fn is_function(address: *mut c_void) -> bool {
    /// The start of an Elf64_Sym.
    #[repr(C)]
    struct ElfSymbol {
        name: u32,
        info: u8,
    }
    const RTLD_DL_SYMENT: c_int = 1;
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null::<c_char>(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null::<c_char>(),
        dli_saddr: std::ptr::null_mut(),
    };
    let mut symbol = std::ptr::null_mut();
    // SAFETY: both results are valid for writes.
    let known = unsafe { libc::dladdr1(address, &mut info, &mut symbol, RTLD_DL_SYMENT) };
    if known == 0 || symbol.is_null() || info.dli_saddr != address {
        // No symbol just there: an indirect function was resolved to an internal name.
        return true;
    }
    // SAFETY: points into the library's symbol table.
    let kind = unsafe { (*symbol.cast::<ElfSymbol>()).info } & 0xf;
    const STT_FUNC: u8 = 2;
    const STT_GNU_IFUNC: u8 = 10;
    kind == STT_FUNC || kind == STT_GNU_IFUNC
}

/// The C library's names for the thread-local variable at `address` in the calling
/// thread: its module number and the offset in the module's block.
pub(crate) fn thread_local_name(address: u64) -> Option<(u64, u64)> {
    struct Search {
        address: u64,
        found: Option<(u64, u64)>,
    }
    unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> c_int {
        // SAFETY: dl_iterate_phdr passes a valid record, and `data` is our `Search`.
        let (info, search) = unsafe { (&*info, &mut *data.cast::<Search>()) };
        let start = info.dlpi_tls_data as u64;
        for i in 0..info.dlpi_phnum {
            // SAFETY: `i` is below the count of program headers.
            let header = unsafe { &*info.dlpi_phdr.add(usize::from(i)) };
            let inside = search.address.wrapping_sub(start) < header.p_memsz;
            if header.p_type == libc::PT_TLS && start != 0 && inside {
                search.found = Some((info.dlpi_tls_modid as u64, search.address - start));
                return 1;
            }
        }
        0
    }
    let mut search = Search { address, found: None };
    // SAFETY: `visit` matches the signature and `search` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found
}
