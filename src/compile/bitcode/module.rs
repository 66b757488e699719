//! All tables of a module, read for a summary.
//!
//! Beyond the outline: attributes, names, metadata, and what holds for the whole module. A
//! record or block that is not known here means that the module is not understood.

use super::attributes::Attributes;
use super::bitstream::{Entry, Reader, Record};
use super::contents::plain;
use super::digest::{Content, Digest};
use super::file::{File, Outline, block};
use super::frame::Frame;
use super::globals::{Global, code, place};
use super::metadata::{Form, Metadata};
use super::names::Names;
use super::{NotUnderstood, Understood};

/// Named metadata that code generation does not read.
const WITHOUT_EFFECT: [&[u8]; 2] = [b"llvm.dbg.cu", b"llvm.ident"];

#[derive(Default)]
pub(super) struct Module {
    pub attributes: Attributes,
    pub names: Names,
    pub metadata: Metadata,
    /// For each global whether it is a function that only carries debug information.
    pub is_debug: Vec<bool>,
    /// For each global whether it is a function like `setjmp`.
    pub returns_twice: Vec<bool>,
    /// For each global, if it starts threads, which of its arguments they begin with.
    pub starts_with: Vec<Option<usize>>,
    /// Triple, data layout, assembly, flags.
    pub whole: Digest,
}

impl Module {
    /// Notes in `frame` where everything is.
    pub fn read(file: &File<'_>, frame: &mut Frame) -> Understood<(Self, Outline)> {
        let mut module = Self::default();
        let mut outline = Outline::default();
        let mut whole = Content::default();
        let mut reader = Reader::new(file.bytes, &file.module, &outline.info);
        let mut record = Record::default();
        loop {
            let from = reader.at();
            let entry = reader.next(&mut record)?;
            frame.note(&entry, &record, from, reader.at());
            match entry {
                Entry::End => break,
                Entry::Abbreviation => {}
                Entry::Record => match record.code {
                    code::TRIPLE | code::DATALAYOUT | code::ASM => {
                        whole.number(u64::from(record.code));
                        whole.bytes(&record.text(0));
                    }
                    code::VSTOFFSET | code::SOURCE_FILENAME | code::HASH => {}
                    code::VERSION => _ = outline.record(&record, file.strtab)?,
                    _ => {
                        let taken = outline.record(&record, file.strtab)?
                            || module.names.record(&record, file.strtab)?;
                        if !taken {
                            return Err(NotUnderstood("an unknown record of a module"));
                        }
                        frame.names_until(end_of_name(&record));
                    }
                },
                Entry::Block(found) => {
                    if !outline.block(file.bytes, found, &mut record)? {
                        module.block(file.bytes, &outline, &found, &mut record)?;
                    }
                }
            }
        }
        outline.finish()?;
        if outline.globals.iter().any(Global::has_partition) {
            frame.names_until(file.strtab.len());
        }
        for global in &outline.globals {
            module.is_debug.push(global.is_function() && global.name.starts_with("llvm.dbg."));
            module.starts_with.push(match &global.name[..] {
                "pthread_create" => Some(2),
                "thrd_create" => Some(1),
                _ => None,
            });
            let attributes = if global.is_function() { global.op(place::function::ATTRIBUTES) } else { 0 };
            module.returns_twice.push(module.attributes.get(attributes)?.1.returns_twice);
        }
        module.put_named(&mut whole)?;
        module.whole = whole.finish();
        Ok((module, outline))
    }

    fn block<'a>(
        &mut self,
        bytes: &'a [u8],
        outline: &Outline,
        found: &super::bitstream::Block,
        record: &mut Record<'a>,
    ) -> Understood<()> {
        let info = &outline.info;
        match found.id {
            block::ATTRIBUTE_GROUPS => self.attributes.read_groups(bytes, found, info, &outline.types),
            block::ATTRIBUTES => self.attributes.read_lists(bytes, found, info),
            block::METADATA_KINDS => self.names.read_kinds(bytes, found, info),
            block::BUNDLE_TAGS => self.names.read_bundles(bytes, found, info),
            block::SYNC_SCOPES => self.names.read_scopes(bytes, found, info),
            block::METADATA => {
                let plain = |value, content: &mut Content| plain(outline, value, content);
                self.metadata.read(bytes, found, info, record, &plain)
            }
            block::VALUE_NAMES | block::USE_LISTS | block::SUMMARY | block::FULL_SUMMARY => Ok(()),
            _ => Err(NotUnderstood("an unknown block of a module")),
        }
    }

    /// Flags of the module, options for the linker.
    fn put_named(&self, whole: &mut Content) -> Understood<()> {
        for (name, nodes) in &self.metadata.named {
            if WITHOUT_EFFECT.contains(&&name[..]) {
                continue;
            }
            whole.bytes(name);
            whole.number(nodes.len() as u64);
            for node in nodes {
                let node = self.metadata.get(*node)?;
                match (node.form, node.digest) {
                    (Form::Debug, _) => {}
                    (_, Some(digest)) => whole.digest(digest),
                    _ => return Err(NotUnderstood("named metadata that is not plain")),
                }
            }
        }
        Ok(())
    }
}

/// Where the name that a record begins with ends in the string table.
fn end_of_name(record: &Record<'_>) -> usize {
    match (record.code, &record.ops[..]) {
        (code::SECTIONNAME | code::GCNAME, _) => 0,
        (_, [offset, length, ..]) => offset.saturating_add(*length).try_into().unwrap_or(usize::MAX),
        _ => 0,
    }
}
