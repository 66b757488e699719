//! What a host hands in as a module.
//!
//! Owns the bytes, what they are and where they came from. Deliberately does not look
//! inside them further than their first few.

use std::path::Path;
use std::sync::Arc;

use inkwell::module::Module;

use super::archive;
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
}

impl Source {
    fn new(kind: SourceKind, bytes: impl Into<Vec<u8>>) -> Self {
        Self { kind, bytes: bytes.into().into(), file: None, trusted: false, on_demand: false }
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
    pub fn module(module: &Module<'_>) -> Self {
        Self::new(SourceKind::Bitcode, module.write_bitcode_to_memory().as_slice()).trusted()
    }

    /// Reads a file and finds out by its first bytes what it is; textual IR by its name,
    /// `.ll`.
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
        let kind = match kind_of(&bytes) {
            Some(kind) => kind,
            None if path.extension().is_some_and(|e| e == "ll") => SourceKind::Ir,
            None if bytes.starts_with(b"!<thin>\n") => {
                return Err(Error::new(ErrorKind::Parse, "a thin archive does not contain its members")
                    .in_file(Some(&name))
                    .hint("make the archive without --thin, or pass the objects themselves"));
            }
            None => {
                return Err(Error::new(ErrorKind::Parse, "not IR, bitcode, an ELF object or an archive")
                    .in_file(Some(&name))
                    .hint("compile it first (clang -c -fPIC, or -emit-llvm); textual IR is recognised by the name .ll"));
            }
        };
        Ok(Self::new(kind, bytes).label(&name))
    }

    /// Compiles in this process even though the bytes come from outside.
    ///
    /// LLVM's readers are not safe against damaged input: they may crash, loop for ever or
    /// exhaust memory. Textual IR and bitcode are therefore compiled in a child process
    /// first of all, unless they come from a module in memory. Where the bytes are known to
    /// be LLVM's own output, this saves the price of a fork.
    pub fn trusted(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// Loads only those members of an archive that something needs, as a linker does.
    /// Without effect on other sources.
    pub fn on_demand(mut self) -> Self {
        self.on_demand = true;
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

    /// The members of an archive with their names.
    pub(crate) fn members(&self) -> Result<Vec<(String, Source)>> {
        let members = archive::members(&self.bytes)?;
        let sources = members.into_iter().map(|(name, bytes)| {
            let kind = kind_of(bytes).filter(|kind| *kind != SourceKind::Archive).ok_or_else(|| {
                Error::new(
                    ErrorKind::Parse,
                    format!("archive member {name} is neither an ELF object nor bitcode"),
                )
            })?;
            let mut source = Self::new(kind, bytes);
            source.file = self.file.as_ref().map(|file| format!("{file}({name})").into());
            source.trusted = self.trusted;
            Ok((name, source))
        });
        sources.collect()
    }
}

fn kind_of(bytes: &[u8]) -> Option<SourceKind> {
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => Some(SourceKind::Object),
        // Bitcode, and the wrapper that Apple's tools put around it.
        [b'B', b'C', 0xc0, 0xde, ..] | [0xde, 0xc0, 0x17, 0x0b, ..] => Some(SourceKind::Bitcode),
        _ if bytes.starts_with(b"!<arch>\n") => Some(SourceKind::Archive),
        _ => None,
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({:?}, {} bytes, {:?})", self.kind, self.bytes.len(), self.file)
    }
}
