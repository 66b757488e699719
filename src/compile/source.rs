//! What a host hands in as a module.
//!
//! Owns the bytes, what they are and where they came from. Deliberately does not look
//! inside them further than their first few.

use std::path::Path;
use std::sync::Arc;

use inkwell::module::Module;

use super::layout::stable_hash;
use super::{Interface, archive};
use crate::error::{Error, ErrorKind, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceKind {
    Ir,
    Bitcode,
    Object,
    Archive,
}

/// The code of a module: textual IR, bitcode, an inkwell module, a relocatable ELF object,
/// or a static archive of objects and bitcode, each member a module.
///
/// Cheap to clone: the bytes are shared.
#[derive(Clone)]
#[must_use]
pub struct Source {
    kind: SourceKind,
    bytes: Arc<[u8]>,
    file: Option<Arc<str>>,
    trusted: bool,
    on_demand: bool,
    make: Option<Make>,
    interface: Option<Arc<Interface>>,
}

/// How a source is made anew.
type Make = Arc<dyn Fn() -> Result<Source> + Send + Sync>;

impl Source {
    fn new(kind: SourceKind, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            bytes: bytes.into().into(),
            file: None,
            trusted: false,
            on_demand: false,
            make: None,
            interface: None,
        }
    }

    /// Textual LLVM IR.
    pub fn ir(text: impl Into<Vec<u8>>) -> Self {
        Self::new(SourceKind::Ir, text)
    }

    /// LLVM bitcode.
    pub fn bitcode(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(SourceKind::Bitcode, bytes)
    }

    /// A relocatable ELF object.
    pub fn object(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(SourceKind::Object, bytes)
    }

    /// A static archive; each member becomes a module.
    pub fn archive(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(SourceKind::Archive, bytes)
    }

    /// A module built with inkwell, which is copied: it may change or end afterwards.
    ///
    /// It is compiled in this process, as if [`Self::trusted`]: where LLVM cannot compile it
    /// and calls that a fatal error (an intrinsic or a type that the target does not have),
    /// it ends the process. Where the module's making depends on input that is not to be
    /// trusted, write it to bitcode and hand that in with [`Self::bitcode`].
    pub fn module(module: &Module<'_>) -> Self {
        Self::new(SourceKind::Bitcode, module.write_bitcode_to_memory().as_slice()).trusted()
    }

    /// Reads a file and finds out by its first bytes what it is; textual IR by its name,
    /// `.ll`, or its first line.
    ///
    /// # Errors
    /// [`ErrorKind::Read`] for a file that cannot be read, [`ErrorKind::Parse`] for one
    /// that is none of these.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        let bytes = std::fs::read(path).map_err(|e| {
            Error::new(ErrorKind::Read, format!("cannot read the file: {e}")).in_file(Some(&name))
        })?;
        let named_ir = path.extension().is_some_and(|e| e == "ll");
        let kind = recognise(&bytes, named_ir).map_err(|error| {
            let is_source = |e: &std::ffi::OsStr| ["c", "cc", "cpp", "cxx", "C"].iter().any(|x| e == *x);
            let error = if path.extension().is_some_and(is_source) {
                Error::new(ErrorKind::Parse, "C and C++ are not compiled by the library")
                    .hint("compile it with clang -fPIC -c (or -emit-llvm -c), or use hotslot run, which does")
            } else {
                error
            };
            error.in_file(Some(&name))
        })?;
        let again = path.to_owned();
        Ok(Self::new(kind, bytes).label(&name).rebuilt_by(move || Self::from_path(&again)))
    }

    /// Says how to make the source anew, for when a function that it calls has changed its
    /// type and it has to be compiled against the new one: from C or C++, say. Without this
    /// the file that the source came from is read again, or, where there is none, the same
    /// bytes are used.
    pub fn rebuilt_by(mut self, make: impl Fn() -> Result<Source> + Send + Sync + 'static) -> Self {
        self.make = Some(Arc::new(make));
        self
    }

    /// A number for the content: the same bytes have the same, in every process, and
    /// others have another one as good as always. A new version of hotslot may count
    /// differently.
    #[must_use]
    pub fn hash(&self) -> u64 {
        stable_hash(&*self.bytes)
    }

    /// Finds out by the first bytes what it is; textual IR by its first line.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] when it is nothing that can be loaded.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        Ok(Self::new(recognise(&bytes, false)?, bytes))
    }

    /// Compiles in this process even though the bytes come from outside.
    ///
    /// LLVM's readers are not safe against damaged input: they may crash, loop for ever or
    /// exhaust memory, and what LLVM's code generator cannot do ends the process. Textual
    /// IR and bitcode are therefore compiled in a child process, unless they come from a
    /// module in memory. Where the bytes are known to be LLVM's own output, this saves the
    /// price of a fork.
    ///
    /// The fork is an ordinary one: handlers registered with `pthread_atfork` run in both
    /// processes, with signals blocked, and must not compile anything with hotslot
    /// themselves.
    pub fn trusted(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// Loads it only where something needs it, as a linker takes members of an archive; of an
    /// archive those members that something needs. Several sources on demand are one group: a
    /// name is looked for in all of them, in the order in which they are loaded, whoever wants
    /// it. Without effect where a module is replaced.
    pub fn on_demand(mut self) -> Self {
        self.on_demand = true;
        self
    }

    /// The same, loaded whether anything needs it or not.
    pub(crate) fn in_any_case(mut self) -> Self {
        self.on_demand = false;
        self
    }

    /// The file name to use in errors.
    pub fn label(mut self, file: impl AsRef<str>) -> Self {
        self.file = Some(file.as_ref().into());
        self
    }

    pub(crate) fn kind(&self) -> SourceKind {
        self.kind
    }

    pub(crate) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(crate) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted
    }

    pub(crate) fn is_on_demand(&self) -> bool {
        self.on_demand
    }

    /// The source made anew, to be treated as this one is.
    pub(crate) fn rebuild(&self) -> Result<Self> {
        let Some(make) = &self.make else {
            return Ok(self.clone());
        };
        let mut new = make()?;
        new.make = Some(make.clone());
        new.file = self.file.clone().or(new.file);
        new.trusted |= self.trusted;
        new.on_demand |= self.on_demand;
        Ok(new)
    }

    /// The same as bitcode, or some of it.
    pub(crate) fn with_bitcode(&self, bitcode: Vec<u8>) -> Self {
        Self { kind: SourceKind::Bitcode, bytes: bitcode.into(), ..self.clone() }
    }

    /// The object that this was compiled to, with its types; otherwise the same source.
    pub(crate) fn compiled_to(&self, object: Arc<[u8]>, interface: Arc<Interface>) -> Self {
        Self { kind: SourceKind::Object, bytes: object, interface: Some(interface), ..self.clone() }
    }

    /// The types that an object was compiled with, if it was given them.
    pub(crate) fn interface(&self) -> Option<&Arc<Interface>> {
        self.interface.as_ref()
    }

    /// The members of an archive with their names.
    pub(crate) fn members(&self) -> Result<Vec<(String, Source)>> {
        let members = archive::members(&self.bytes)?;
        let sources = members.into_iter().enumerate().map(|(index, (name, bytes))| {
            let kind = kind_of(bytes)
                .filter(|kind| matches!(kind, SourceKind::Object | SourceKind::Bitcode))
                .ok_or_else(|| {
                    let what = "is neither an ELF object nor bitcode";
                    Error::new(ErrorKind::Parse, format!("archive member {name} {what}"))
                })?;
            if name.contains('\0') {
                let message = "the name of an archive member cannot contain a zero byte";
                return Err(
                    Error::new(ErrorKind::Parse, message).hint("the archive is damaged: build it again")
                );
            }
            let mut source = Self::new(kind, bytes);
            source.file = self.file.as_ref().map(|file| format!("{file}({name})").into());
            source.trusted = self.trusted;
            // Without the archive's bytes, which the member is not to keep.
            source.make = self.make.clone().map(|make| -> Make {
                let name = name.clone();
                Arc::new(move || member_of(&make()?, &name, index))
            });
            Ok((name, source))
        });
        sources.collect()
    }
}

/// The member of that name in an archive made anew, the one at the nearest place if there are several.
fn member_of(archive: &Source, name: &str, index: usize) -> Result<Source> {
    let named = archive.members()?.into_iter().enumerate().filter(|(_, (other, _))| other == name);
    let nearest = named.min_by_key(|(at, _)| at.abs_diff(index));
    nearest.map(|(_, (_, source))| source).ok_or_else(|| {
        Error::new(ErrorKind::Read, format!("the archive has no member {name} any more"))
            .in_file(archive.file())
            .hint("replace or remove the module that came from it")
    })
}

fn kind_of(bytes: &[u8]) -> Option<SourceKind> {
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => Some(SourceKind::Object),
        _ if is_bitcode(bytes) => Some(SourceKind::Bitcode),
        _ if bytes.starts_with(b"!<arch>\n") => Some(SourceKind::Archive),
        _ => None,
    }
}

/// Bitcode, or the wrapper that Apple's tools put around it.
pub(super) fn is_bitcode(bytes: &[u8]) -> bool {
    matches!(bytes, [b'B', b'C', 0xc0, 0xde, ..] | [0xde, 0xc0, 0x17, 0x0b, ..])
}

fn recognise(bytes: &[u8], named_ir: bool) -> Result<SourceKind> {
    /// The type field of an ELF header: a shared library or a position-independent program.
    const ET_DYN: [u8; 2] = [3, 0];
    let refuse = |what: &str, hint: &str| Err(Error::new(ErrorKind::Parse, what).hint(hint));
    match kind_of(bytes) {
        Some(SourceKind::Object) if bytes.get(16..18) == Some(&ET_DYN) => {
            refuse("a shared library is not a module", "open it with Runtime::open_library, or -l")
        }
        Some(kind) => Ok(kind),
        None if bytes.starts_with(b"!<thin>\n") => refuse(
            "a thin archive does not contain its members",
            "make the archive without --thin, or pass the objects themselves",
        ),
        None if named_ir || looks_like_ir(bytes) => Ok(SourceKind::Ir),
        None => refuse(
            "not IR, bitcode, an ELF object or an archive",
            "compile it first: clang -fPIC -c, or clang -fPIC -emit-llvm -c",
        ),
    }
}

/// Whether the first line that is not a comment begins as lines of textual IR do.
fn looks_like_ir(bytes: &[u8]) -> bool {
    const STARTS: [&str; 10] = [
        "; ModuleID",
        "source_filename",
        "target ",
        "define ",
        "declare ",
        "attributes #",
        "module asm ",
        "@",
        "%",
        "$",
    ];
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim_start);
    lines
        .find(|line| line.starts_with("; ModuleID") || !(line.is_empty() || line.starts_with(';')))
        .is_some_and(|line| STARTS.iter().any(|start| line.starts_with(start)))
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({:?}, {} bytes, {:?})", self.kind, self.bytes.len(), self.file)
    }
}
