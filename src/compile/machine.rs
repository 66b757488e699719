//! The machine that code is generated for.
//!
//! Owns LLVM's description of the target, its processor and its level of effort, one for
//! each thread and setting, and the check that a module is meant for it. Deliberately
//! knows nothing of what is compiled.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Once, OnceLock};

use inkwell::OptimizationLevel;
use inkwell::module::Module;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};

use super::{CompileOptions, OptLevel};
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Machine {
    pub target: TargetMachine,
    level: OptLevel,
    cpu: Option<String>,
    triple: TargetTriple,
}

thread_local! {
    /// Making one costs more than reading a small module. A target machine belongs to
    /// the thread that made it.
    static MACHINES: RefCell<Vec<Rc<Machine>>> = const { RefCell::new(Vec::new()) };
}

/// How many machines a thread keeps.
const KEPT: usize = 8;

/// Calls `f` with the machine for `options`.
pub(super) fn with<T>(options: &CompileOptions, f: impl FnOnce(&Machine) -> Result<T>) -> Result<T> {
    f(&*cached(options)?)
}

/// Makes the machine now, so that a child process that is about to be started has it.
pub(super) fn warm(options: &CompileOptions) -> Result<()> {
    cached(options).map(drop)
}

fn cached(options: &CompileOptions) -> Result<Rc<Machine>> {
    MACHINES.with_borrow_mut(|machines| {
        let fits = |m: &Rc<Machine>| m.level == options.level && m.cpu == options.cpu;
        if let Some(machine) = machines.iter().find(|m| fits(m)) {
            return Ok(machine.clone());
        }
        let host = TargetMachine::get_default_triple();
        let machine = Rc::new(Machine::new(host, options.level, options.cpu.clone())?);
        if machines.len() == KEPT {
            machines.remove(0);
        }
        machines.push(machine.clone());
        Ok(machine)
    })
}

impl Machine {
    fn new(triple: TargetTriple, level: OptLevel, cpu: Option<String>) -> Result<Self> {
        static INITIALISED: Once = Once::new();
        INITIALISED.call_once(|| {
            let config = InitializationConfig::default();
            Target::initialize_x86(&config);
            Target::initialize_aarch64(&config);
        });
        let unknown = |what: String| Error::new(ErrorKind::Host, what);
        let target = Target::from_triple(&triple)
            .map_err(|message| unknown(format!("LLVM does not know this machine: {message}")))?;
        let (name, features) = processor(cpu.as_deref());
        if name.contains('\0') {
            return Err(unknown("the name of a processor cannot contain a zero byte".into()));
        }
        let effort = match level {
            OptLevel::O0 => OptimizationLevel::None,
            OptLevel::O1 => OptimizationLevel::Less,
            OptLevel::O2 => OptimizationLevel::Default,
            OptLevel::O3 => OptimizationLevel::Aggressive,
        };
        let target = target
            .create_target_machine(&triple, name, features, effort, RelocMode::PIC, CodeModel::Small)
            .ok_or_else(|| unknown(format!("LLVM has no code generator for {name}")))?;
        Ok(Self { target, level, cpu, triple })
    }

    /// Makes the module one for this machine: what it leaves open is filled in, what it
    /// says otherwise is an error.
    pub(super) fn adopt(&self, module: &Module<'_>) -> Result<()> {
        let given = module.get_triple().as_str().to_string_lossy().into_owned();
        let own = self.triple.as_str().to_string_lossy();
        if !given.is_empty() && !same_platform(&given, &own) {
            return Err(Error::new(
                ErrorKind::Compile,
                format!("the module is for {given}, this machine is {own}"),
            )
            .hint("compile it for this machine, or leave the target triple out"));
        }
        module.set_triple(&self.triple);
        let layout = self.target.get_target_data().get_data_layout();
        let given = module.get_data_layout().as_str().to_owned();
        if given.to_bytes().is_empty() {
            module.set_data_layout(&layout);
        } else if given.as_c_str() != layout.as_str() {
            return Err(Error::new(
                ErrorKind::Compile,
                format!(
                    "the module's data layout is {}, this machine's is {}",
                    given.to_string_lossy(),
                    layout.as_str().to_string_lossy()
                ),
            )
            .hint("leave the data layout out, or produce the module with the LLVM that hotslot uses"));
        }
        Ok(())
    }
}

/// Whether code for one triple runs on the other: the same architecture, and no word
/// that means another system or another ABI. Makers and missing parts do not matter.
fn same_platform(given: &str, own: &str) -> bool {
    const FOREIGN: &[&str] = &[
        "aix",
        "android",
        "coff",
        "cuda",
        "cygwin",
        "darwin",
        "dragonfly",
        "driverkit",
        "freebsd",
        "fuchsia",
        "gnux32",
        "hurd",
        "ios",
        "macho",
        "macos",
        "mingw",
        "msvc",
        "muslx32",
        "netbsd",
        "openbsd",
        "solaris",
        "tvos",
        "uefi",
        "wasi",
        "watchos",
        "win32",
        "windows",
    ];
    let arch = |triple: &str| match triple.split('-').next() {
        Some("amd64") => "x86_64".to_owned(),
        Some("arm64") => "aarch64".to_owned(),
        other => other.unwrap_or_default().to_owned(),
    };
    arch(given) == arch(own)
        && !given.split('-').skip(1).any(|word| FOREIGN.iter().any(|foreign| word.starts_with(foreign)))
}

/// What code for `options` is made for, without making the machine.
pub(super) fn described(options: &CompileOptions) -> [String; 3] {
    let (name, features) = processor(options.cpu.as_deref());
    let triple = TargetMachine::get_default_triple();
    [triple.as_str().to_string_lossy().into_owned(), name.to_owned(), features.to_owned()]
}

/// Name and features of the processor that code is made for.
fn processor(chosen: Option<&str>) -> (&str, &str) {
    match chosen {
        Some(name) => (name, ""),
        None => host_cpu(),
    }
}

/// Name and features of the host's processor, asked once.
fn host_cpu() -> (&'static str, &'static str) {
    static HOST: OnceLock<(String, String)> = OnceLock::new();
    let (name, features) = HOST.get_or_init(|| {
        let text = |s: inkwell::support::LLVMString| s.to_string();
        (text(TargetMachine::get_host_cpu_name()), text(TargetMachine::get_host_cpu_features()))
    });
    (name, features)
}

/// The version of the LLVM that hotslot runs with: major, minor, patch.
pub fn llvm_version() -> (u32, u32, u32) {
    inkwell::support::get_llvm_version()
}
