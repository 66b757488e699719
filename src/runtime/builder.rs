//! The settings of a runtime.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64};

use runtime_stubs::{Arch, STUB_SIZE, TableLayout};

use super::entry::Arguments;
use super::first_calls::FirstCalls;
use super::forks;
use super::missing::MissingEntry;
use super::state::State;
use super::tiers::Worker;
use super::{Inner, Runtime};
use crate::builtins;
use crate::cache::Cache;
use crate::compile::{CallForm, CompileOptions, Level, OptLevel};
use crate::error::{Error, ErrorKind, Result};
use crate::faults;
use crate::memory::{Arena, Space, Tools};
use crate::observe::{Observers, Profiler};
use crate::process::Process;
use crate::table::{Owner, Rank, Slots, Symbols, Target};
use crate::tls::Forkable;

/// Bytes of a call slot.
const SLOT: u64 = size_of::<u64>() as u64;

/// Settings of a [`Runtime`]; made by [`Runtime::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    arena_size: usize,
    compile: CompileOptions,
    process_symbols: bool,
    threads: usize,
    arguments: Vec<CString>,
    history: usize,
    retained_limit: Option<usize>,
    tiered: bool,
    lazy: bool,
    verify_diff: bool,
    declarations: bool,
    cache: Option<Cache>,
    debugger: bool,
    profilers: Vec<Profiler>,
    contain_faults: bool,
    contain_aborts: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            arena_size: 1 << 30,
            compile: CompileOptions::default(),
            process_symbols: true,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            arguments: Vec::new(),
            history: 4,
            retained_limit: None,
            tiered: true,
            lazy: false,
            verify_diff: false,
            declarations: true,
            cache: None,
            debugger: false,
            profilers: Vec::new(),
            contain_faults: true,
            contain_aborts: false,
        }
    }
}

impl Builder {
    /// How many bytes of address space to reserve for code, data and the table; 1 GiB
    /// unless said otherwise, at least 4 MiB, less than 2 GiB. Memory is used only as it
    /// is filled. The table has room for one symbol per KiB.
    pub fn arena_size(mut self, bytes: usize) -> Self {
        self.arena_size = bytes;
        self
    }

    /// How much LLVM optimises modules that come as IR or bitcode; O2 unless said
    /// otherwise. Objects are taken as they are.
    pub fn opt_level(mut self, level: OptLevel) -> Self {
        self.compile.level = level;
        self
    }

    /// Whether functions that change go live without optimisation first, which is soonest, and
    /// are optimised by a thread of the runtime's afterwards; on unless said otherwise. Without
    /// effect where [`Self::opt_level`] is O0. What is loaded first is optimised either way.
    ///
    /// The thread starts with the first such function and ends with the runtime.
    pub fn tiered(mut self, tiered: bool) -> Self {
        self.tiered = tiered;
        self
    }

    /// Whether a function of a module that is loaded as IR or bitcode is compiled when it is first
    /// called, not when the module is loaded; off unless said otherwise. The first caller waits,
    /// and others that call it meanwhile. What is compiled in this way is as
    /// [`Self::tiered`] says: fast, and optimised afterwards. While somebody waits, other threads of
    /// the runtime's compile what may be called next, if [`Self::compile_threads`] allows more
    /// than one; there are four at most.
    ///
    /// A first call takes less than 8 KiB of the caller's stack.
    ///
    /// A function that has not been called when its module is replaced goes on waiting. A function
    /// that cannot be compiled is known to be so when it is called: the error is that of the
    /// guarded call, and without one ends the process with a message. A child of fork cannot
    /// compile: calls there of functions that nobody called before the fork end in the same way.
    /// A handler of a signal should not be the first to call a function: it may have interrupted
    /// the allocation of memory.
    pub fn lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// Whether every update that compiles only some functions of a module compiles the whole
    /// module as well, and is refused with [`ErrorKind::Compile`] if the code of another
    /// function would not be what it is; off unless said otherwise. For those who doubt hotslot:
    /// it costs more than the patch saves.
    pub fn verify_diff(mut self, verify: bool) -> Self {
        self.verify_diff = verify;
        self
    }

    /// Whether a module that declares a function with another type than the one it is defined with is
    /// refused with [`ErrorKind::Signature`], as far as both types are known; on unless said otherwise.
    /// It concerns declarations that are new, in modules that come as IR or bitcode. That a function
    /// changes its type under those compiled against the old one is refused in any case.
    ///
    /// Whole programs in C may rely on declarations that differ where the processor sees no difference,
    /// in files that no compiler has seen together.
    pub fn check_declarations(mut self, check: bool) -> Self {
        self.declarations = check;
        self
    }

    /// How calls between modules are made; [`CallForm::Slot`] unless said otherwise.
    pub fn call_form(mut self, form: CallForm) -> Self {
        self.compile.call_form = form;
        self
    }

    /// Functions of modules in IR or bitcode that are entered once and stay, as `main` does; none
    /// unless said otherwise. What they call is not copied into them (inlined), except what says that
    /// it must be (`always_inline`): a new version of it reaches them with their next call of it,
    /// where a copy would be called for ever. If there are any, the same goes for functions that are
    /// named in a call of `pthread_create` or `thrd_create`, which a thread is in while it lives.
    ///
    /// It costs such a function what calls cost, where it calls small functions in a loop of its own.
    pub fn entered_once<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.compile.entered_once = names.into_iter().map(Into::into).collect();
        self
    }

    /// The processor to generate code for, as LLVM names it (`x86-64-v3`), for functions
    /// that do not say themselves; the host's own unless said otherwise.
    pub fn cpu(mut self, name: impl Into<String>) -> Self {
        self.compile.cpu = Some(name.into());
        self
    }

    /// Whether names that no module defines are looked up in the whole process: the
    /// host's exported symbols and every library it is linked with. On unless said
    /// otherwise; libraries opened explicitly are searched either way.
    pub fn process_symbols(mut self, search: bool) -> Self {
        self.process_symbols = search;
        self
    }

    /// How many threads may compile modules of one update at once; as many as there are
    /// processors unless said otherwise. They end with the update. The same number counts for
    /// [`Self::lazy`], whose threads stay.
    pub fn compile_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// How many past generations of each module are kept to be returned to; 4 unless said
    /// otherwise. They take memory as if they were live.
    pub fn history(mut self, generations: usize) -> Self {
        self.history = generations;
        self
    }

    /// How many bytes of code and data may be retired, which means held by threads only,
    /// before updates are refused; a quarter of the arena unless said otherwise. Nothing is
    /// freed early for it.
    pub fn retained_limit(mut self, bytes: usize) -> Self {
        self.retained_limit = Some(bytes);
        self
    }

    /// Where compiled modules are kept for later processes, and looked for before anything is
    /// compiled; nowhere unless said otherwise. `Cache::of_user()` is the user's own place.
    /// What is found is the same code that would have been made: the key is of the whole source,
    /// every setting, the processor, LLVM and hotslot.
    pub fn cache(mut self, cache: impl Into<Option<Cache>>) -> Self {
        self.cache = cache.into();
        self
    }

    /// Whether debuggers are told of code, by the interface for that of gdb and lldb: breakpoints by
    /// name, file and line, backtraces, and variables work in replaced code as in any other. Of
    /// modules without debug information (`-g`) only names and frames are known. A function of
    /// generation 7 of its module is shown as `f@v7`. Off unless said otherwise; it costs memory
    /// and time in every update.
    ///
    /// A debugger puts breakpoints into code. The kernel allows that in shared memory only where it
    /// is writable, so pages of code are, for the whole process.
    ///
    /// Where functions stand in the source counts as part of them then: one that is only moved
    /// is compiled again.
    ///
    /// The interface has no lock of its own. Where LLVM's own JITs run in the same process, updates
    /// must not be made while those tell debuggers of code.
    pub fn debugger(mut self, debugger: bool) -> Self {
        self.debugger = debugger;
        self
    }

    /// Tells profilers of code; may be called for each kind.
    pub fn profiler(mut self, profiler: Profiler) -> Self {
        self.profilers.push(profiler);
        self
    }

    /// Whether guarded calls ([`Function::try_call`](crate::Function::try_call)) end with an
    /// error where generated code faults; on unless said otherwise. The process's handlers for
    /// SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP are replaced by the first guarded call of such a
    /// runtime, and not before. What is no fault of generated code, or in no guarded call, goes to
    /// the handlers that there were.
    pub fn contain_faults(mut self, contain: bool) -> Self {
        self.contain_faults = contain;
        self
    }

    /// Whether a guarded call ends with [`ErrorKind::Aborted`] where its code would end the process; off
    /// unless said otherwise. That is: `abort`, a failed `assert`, `raise(SIGABRT)`, `std::terminate`,
    /// `exit` and its kin with their status ([`Error::exit_code`]), and a C++ exception that nothing
    /// catches on its way to the guard, whose destructors are run. Nothing that was registered to run at
    /// the end does so. What is given up is said at [`Guarded`](super::Guarded).
    ///
    /// Not contained: an abort of the C library's allocator, which has found the heap damaged; ends that a
    /// library or the host asks for; what happens in threads that the code has started, and in
    /// children of fork. SIGABRT has a handler of hotslot's then, until the program installs its own;
    /// any other is passed on to the handler that was there before.
    pub fn contain_aborts(mut self, contain: bool) -> Self {
        self.contain_aborts = contain;
        self
    }

    /// The program's arguments, its name first, which the C library passes to constructors;
    /// none unless said otherwise. A word ends at its first zero byte.
    pub fn arguments<W: Into<Vec<u8>>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        let word = |word: W| {
            let bytes: Vec<u8> = word.into();
            CString::new(bytes.split(|&b| b == 0).next().unwrap_or_default()).unwrap_or_default()
        };
        self.arguments = words.into_iter().map(word).collect();
        self
    }

    /// Reserves the memory and makes the runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Host`] on a processor other than x86-64, [`ErrorKind::Memory`] where
    /// the kernel refuses the reservation or lacks a feature (Linux 5.1 has them all).
    pub fn build(self) -> Result<Runtime> {
        let arch = match Arch::HOST {
            Some(Arch::X86_64) => Arch::X86_64,
            _ => {
                return Err(Error::new(ErrorKind::Host, "hotslot runs code on x86-64 only")
                    .hint("other architectures can be linked for, not executed yet"));
            }
        };
        let perf_map = self.profilers.contains(&Profiler::PerfMap);
        let tools = Tools { debugger: self.debugger, perf_map };
        let arena = Arena::with_tools(arch, self.arena_size, tools)?;
        forks::survive();
        let symbols = Symbols::new(Slots::new(arena.clone()));
        let state =
            Arc::new(Forkable::new(State::new(symbols, Process::new(self.process_symbols), self.history)));
        let missing = MissingEntry::new(&arena, &state)?;
        let dso = arena.allocate(Space::Data, 16, 16)?;
        {
            let mut state = state.lock();
            state.symbols.missing = missing.nameless();
            for (name, address) in builtins::functions() {
                state.define(name, Owner::Builtin, Rank::Builtin, Target::Function(address))?;
            }
            for (name, address) in builtins::ends().into_iter().filter(|_| self.contain_aborts) {
                state.define(name, Owner::Builtin, Rank::Builtin, Target::Function(address))?;
            }
            let table = arena.table_layout().calls;
            state.define("__dso_handle", Owner::Builtin, Rank::Builtin, Target::Data(dso.address()))?;
            state.define("_GLOBAL_OFFSET_TABLE_", Owner::Builtin, Rank::Builtin, Target::Data(table))?;
        }
        let TableLayout { calls, addrs, stubs, .. } = arena.table_layout();
        let end_of_stubs = stubs + (addrs - calls) / SLOT * STUB_SIZE as u64;
        let observers = Observers::new(self.debugger, &self.profilers, (stubs, end_of_stubs))?;
        state.lock().observers = Arc::new(observers);
        let (start, end) = arena.range();
        builtins::add_range(start, end, dso.address());
        faults::add(missing.identity(), start..end, self.contain_faults, self.contain_aborts);
        if self.contain_aborts {
            faults::contain_ends();
        }
        let reclaiming = Arc::new(Forkable::new(()));
        forks::add(&reclaiming, &state, &arena);
        let inner = Arc::new(Inner {
            prepares_threads: self.contain_faults || self.contain_aborts,
            state,
            reclaiming,
            odd_stack: AtomicI32::new(0),
            anonymous: AtomicU64::new(0),
            retained_limit: self.retained_limit.unwrap_or(self.arena_size / 4),
            missing,
            dso,
            lazy: self.lazy,
            tiered: self.tiered && self.compile.full_level() == Level::Optimised,
            compile: self.compile,
            verify_diff: self.verify_diff,
            declarations: self.declarations,
            lines: self.debugger,
            cache: self.cache,
            threads: self.threads,
            arguments: Arguments::new(self.arguments),
            arena,
        });
        let worker = Arc::new(Worker::new(inner.clone()));
        if self.lazy {
            inner.missing.compile_by(FirstCalls::start(&inner, &worker)?);
        }
        Ok(Runtime { worker: Some(worker), inner })
    }
}
