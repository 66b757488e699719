//! Symbols of the process: shared libraries, opened by path or found by name.
//!
//! Owns the libraries it opened and the order in which they are searched. It deliberately
//! knows nothing of slots; [`crate::runtime`] makes providers of what is found here.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::tls;

/// An open library, closed when dropped.
struct Library(*mut c_void);

// SAFETY: the handle is only passed to dlsym and dlclose, which any thread may call.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Drop for Library {
    fn drop(&mut self) {
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

    /// Opens the library at `path` and searches it after those opened before.
    pub(crate) fn open(&mut self, path: &Path) -> Result<()> {
        let refuse = |message: String| Error::new(ErrorKind::Read, message).in_file(path.to_str());
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| refuse("a library's path cannot contain a zero byte".into()))?;
        let handle = load(&name).map_err(|why| refuse(format!("cannot open shared library: {why}")))?;
        self.libraries.push(Library(handle));
        Ok(())
    }

    /// Finds `-l name` as a linker does: `libname.so` in `directories`, then where the
    /// dynamic linker looks. Returns the static archives that stand for it, which the
    /// caller has to load as modules.
    pub(crate) fn find_library(&mut self, name: &str, directories: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let file = format!("lib{name}.so");
        let system = [
            "/lib/x86_64-linux-gnu",
            "/usr/lib/x86_64-linux-gnu",
            "/lib/aarch64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/lib64",
            "/usr/lib64",
            "/lib",
            "/usr/lib",
            "/usr/local/lib",
        ]
        .map(PathBuf::from);
        for directory in directories.iter().chain(&system) {
            let shared = directory.join(&file);
            if shared.is_file() {
                return self.open_or_follow(&shared);
            }
            let archive = directory.join(format!("lib{name}.a"));
            if archive.is_file() && !versioned(directory, &file).is_some_and(|f| f.is_file()) {
                return Ok(if is_empty_archive(&archive) { vec![] } else { vec![archive] });
            }
            // A system without development files has only the versioned name.
            if let Some(shared) = versioned(directory, &file) {
                self.open(&shared)?;
                return Ok(vec![]);
            }
        }
        let plain = CString::new(file.clone()).ok().and_then(|f| load(&f).ok());
        if let Some(handle) = plain {
            self.libraries.push(Library(handle));
            return Ok(vec![]);
        }
        Err(Error::new(ErrorKind::Resolve, format!("cannot find library -l{name}: no {file} or lib{name}.a"))
            .hint("install it, or name its directory with -L (the `directories` of find_library)"))
    }

    /// Opens a shared library; where the file is a linker script instead, what it names.
    fn open_or_follow(&mut self, path: &Path) -> Result<Vec<PathBuf>> {
        let start = std::fs::read(path).unwrap_or_default();
        if start.starts_with(b"\x7fELF") || start.len() > 1 << 16 {
            self.open(path)?;
            return Ok(vec![]);
        }
        let text = String::from_utf8_lossy(&start);
        let mut archives = Vec::new();
        for word in text.split([' ', '\n', '\t', '(', ')', ',']) {
            if word.starts_with('/') && word.contains(".so") {
                self.open(Path::new(word))?;
            } else if word.starts_with('/') && word.ends_with(".a") && !word.ends_with("_nonshared.a") {
                archives.push(PathBuf::from(word));
            }
        }
        Ok(archives)
    }

    /// The offset from the thread pointer of the thread-local variable `name`, if it is the
    /// same in every thread: that of a library loaded with the program.
    pub(crate) fn thread_offset(&self, name: &str) -> Option<u64> {
        let here = || Some(self.find(name)?.address.wrapping_sub(tls::thread_pointer() as u64));
        let elsewhere = std::thread::scope(|scope| scope.spawn(here).join().ok().flatten());
        elsewhere.filter(|_| elsewhere == here())
    }

    /// Looks `name` up in the process, then in each library in the order opened.
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

/// The versioned file of a library (`libm.so.6`), the highest version there is.
fn versioned(directory: &Path, file: &str) -> Option<PathBuf> {
    let prefix = format!("{file}.");
    let mut found: Vec<_> = std::fs::read_dir(directory)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().and_then(|n| n.to_str()).is_some_and(|n| {
                n.strip_prefix(&prefix)
                    .is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
            })
        })
        .collect();
    found.sort();
    found.pop()
}

/// Newer C libraries keep empty archives for the parts that moved into libc itself.
fn is_empty_archive(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.len() <= 8)
}

/// Whether `address` is that of a function, by the symbol table of its library.
fn is_function(address: *mut c_void) -> bool {
    /// The start of an Elf64_Sym.
    #[repr(C)]
    struct ElfSymbol {
        name: u32,
        info: u8,
    }
    unsafe extern "C" {
        fn dladdr1(
            address: *const c_void,
            info: *mut libc::Dl_info,
            extra: *mut *mut c_void,
            flags: c_int,
        ) -> c_int;
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
    let known = unsafe { dladdr1(address, &mut info, &mut symbol, RTLD_DL_SYMENT) };
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
