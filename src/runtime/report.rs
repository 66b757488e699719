//! What an update did, as data.

use std::sync::Arc;
use std::time::Duration;

/// What a load, a replacement, a removal or a whole update did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The modules loaded or replaced, in the order of the update.
    pub modules: Vec<Arc<ModuleReport>>,
    /// Names of the modules removed.
    pub removed: Vec<String>,
    /// Symbols that the modules of this update refer to and that nothing defines yet. A
    /// call to one reaches a trap that names it.
    pub undefined: Vec<Undefined>,
    /// Strong definitions that lost to a newer one.
    pub shadowed: Vec<Shadowed>,
    /// Modules that do not follow where a variable or constant was moved.
    pub stale: Vec<StaleReader>,
    /// Where the time went.
    pub times: Times,
}

/// One module of an update.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ModuleReport {
    /// The module's name; a member of an archive is named `archive(member)`.
    pub name: String,
    /// 1 after the first load, one more after each replacement.
    pub generation: u64,
    /// How many functions it defines for others.
    pub functions: usize,
    /// How many variables it defines for others.
    pub variables: usize,
    /// How many functions, those included that others cannot call, are compiled on their first
    /// call ([`Builder::lazy`](crate::Builder::lazy)) and were not yet.
    pub lazy_functions: usize,
    /// Bytes of machine code.
    pub code_bytes: usize,
    /// Bytes of constants, unwind information included.
    pub constant_bytes: usize,
    /// Bytes of variables, those that were kept included.
    pub variable_bytes: usize,
    /// Sections of variables that kept their storage and value.
    pub kept_storage: usize,
    /// Sections of variables of a replaced module that are new, or have another size,
    /// alignment or layout than before, and so have their initial value.
    pub reset_storage: usize,
    /// Functions registered to run at load (constructors) that were not run because the
    /// module was replaced, not loaded.
    pub skipped_initialisers: usize,
    /// It is an earlier generation that is live again.
    pub restored: bool,
    /// Its code was in the cache ([`Builder::cache`](crate::Builder::cache)): nothing was compiled.
    pub cached: bool,
    /// Where the types are from that it was checked with.
    pub types: TypesFrom,
    /// Of a module that was replaced: functions that the generation before did not have,
    /// those of it included that others cannot call.
    pub new_functions: Vec<String>,
    /// Functions whose code is another one.
    pub changed_functions: Vec<String>,
    /// Functions whose code is the same.
    pub unchanged_functions: Vec<String>,
    /// Functions that are no longer there.
    pub removed_functions: Vec<String>,
    /// Variables that the generation before did not have, which are initialised.
    pub new_variables: Vec<String>,
    /// Variables that did not fit and have their initial value.
    pub reset_variables: Vec<String>,
    /// Variables that did not fit and were migrated.
    pub migrated_variables: Vec<String>,
    /// Variables that are new or start anew and may have to be constructed, which was not
    /// done: the only function that could is for variables that were kept, too. So it is with
    /// objects, and with IR that was optimised before hotslot got it.
    pub uninitialised: Vec<String>,
    /// C++: symbols of tables of virtual functions that have other functions in their places, because
    /// virtual functions came, went or changed their order. Objects that were made before keep the
    /// old table, and code that goes by the new order calls wrong functions of theirs. Known for
    /// modules that came as IR or bitcode; see [`Update::keep_tables`](crate::Update::keep_tables).
    pub virtual_tables: Vec<String>,
    /// Variables that keep their value although their definition has another initial value
    /// now: that change has no effect.
    pub ineffective: Vec<String>,
}

/// Where what is known of a module's types is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TypesFrom {
    /// IR, which says everything.
    Ir,
    /// An object's debug information, as far as that goes.
    DebugInfo,
    /// Nowhere: changes of its functions' types are not noticed.
    #[default]
    Unchecked,
}

/// A module that will go on using the old place of a variable or constant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaleReader {
    /// What has another address now.
    pub symbol: String,
    /// The module whose code has the old one in it: compiled without -fPIC, or with hidden
    /// visibility, or it was the one that defined it.
    pub module: String,
}

/// A symbol that nothing defines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undefined {
    /// The symbol.
    pub symbol: String,
    /// The modules that refer to it.
    pub wanted_by: Vec<String>,
}

/// A strong definition that lost to a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shadowed {
    /// The symbol.
    pub symbol: String,
    /// The module whose definition is used.
    pub used: String,
    /// The module whose definition is not.
    pub shadowed: String,
}

/// Time spent in each phase. Phases of compilation are summed over modules, which may
/// have been compiled in parallel.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Times {
    /// Reading IR or bitcode.
    pub parse: Duration,
    /// LLVM's optimisation passes.
    pub optimise: Duration,
    /// LLVM's code generation.
    pub codegen: Duration,
    /// Reading objects, placing sections, relocating.
    pub link: Duration,
    /// Making code visible and storing slots.
    pub publish: Duration,
}

impl Report {
    /// The report of the module called `name`, if the update concerned it.
    pub fn module(&self, name: &str) -> Option<&ModuleReport> {
        self.modules.iter().find(|module| module.name == name).map(|module| &**module)
    }
}
