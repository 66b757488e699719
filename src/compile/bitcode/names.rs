//! Small lists of names that numbers in a module stand for.
//!
//! Sections, collectors, comdats, kinds of metadata, operand bundles, scopes of synchronisation.
//! Numbers shift with every new name; the names do not.

use super::bitstream::{Block, BlockInfo, Record, each_record};
use super::digest::{Content, Digest};
use super::globals::{code, string};
use super::{NotUnderstood, Understood};

/// Attachments that never change code: where something stands in the source.
const POSITIONS: [&[u8]; 3] = [b"dbg", b"srcloc", b"DIAssignID"];

#[derive(Default)]
pub(super) struct Names {
    sections: Vec<Vec<u8>>,
    collectors: Vec<Vec<u8>>,
    comdats: Vec<Digest>,
    kinds: Vec<Option<Vec<u8>>>,
    bundles: Vec<Vec<u8>>,
    scopes: Vec<Vec<u8>>,
}

impl Names {
    /// Takes a record of the MODULE block if it is a name.
    pub fn record(&mut self, record: &Record<'_>, strtab: &[u8]) -> Understood<bool> {
        match record.code {
            code::SECTIONNAME => self.sections.push(record.text(0)),
            code::GCNAME => self.collectors.push(record.text(0)),
            code::COMDAT => {
                let mut content = Content::default();
                content.bytes(string(&record.ops, 0, strtab)?);
                content.number(record.op(2)?);
                self.comdats.push(content.finish());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub fn read_kinds(&mut self, bytes: &[u8], block: &Block, info: &BlockInfo) -> Understood<()> {
        each(bytes, block, info, 6, |record| {
            let id = record.op(0)? as usize;
            // Numbers come one after the other.
            if id > self.kinds.len() + 4096 {
                return Err(NotUnderstood("a kind of metadata out of order"));
            }
            if self.kinds.len() <= id {
                self.kinds.resize(id + 1, None);
            }
            self.kinds[id] = Some(record.text(1));
            Ok(())
        })
    }

    pub fn read_bundles(&mut self, bytes: &[u8], block: &Block, info: &BlockInfo) -> Understood<()> {
        each(bytes, block, info, 1, |record| {
            self.bundles.push(record.text(0));
            Ok(())
        })
    }

    pub fn read_scopes(&mut self, bytes: &[u8], block: &Block, info: &BlockInfo) -> Understood<()> {
        each(bytes, block, info, 1, |record| {
            self.scopes.push(record.text(0));
            Ok(())
        })
    }

    /// The name of a kind of attachment; `None` if it never counts.
    pub fn kind(&self, id: u64) -> Understood<Option<&[u8]>> {
        let found = usize::try_from(id).ok().and_then(|id| self.kinds.get(id)?.as_deref());
        let name = found.ok_or(NotUnderstood("an unknown kind of metadata"))?;
        Ok((!POSITIONS.contains(&name)).then_some(name))
    }

    pub fn bundle(&self, id: u64) -> Understood<&[u8]> {
        get(&self.bundles, id, "an unknown operand bundle")
    }

    pub fn scope(&self, id: u64) -> Understood<&[u8]> {
        get(&self.scopes, id, "an unknown scope of synchronisation")
    }

    /// Numbers of sections begin with 1; 0 is none.
    pub fn section(&self, id: u64) -> Understood<&[u8]> {
        id.checked_sub(1).map_or(Ok(&[]), |id| get(&self.sections, id, "an unknown section"))
    }

    pub fn collector(&self, id: u64) -> Understood<&[u8]> {
        id.checked_sub(1).map_or(Ok(&[]), |id| get(&self.collectors, id, "an unknown collector"))
    }

    pub fn comdat(&self, id: u64) -> Understood<Digest> {
        let Some(index) = id.checked_sub(1) else {
            return Ok(Digest::default());
        };
        let found = usize::try_from(index).ok().and_then(|index| self.comdats.get(index));
        found.copied().ok_or(NotUnderstood("an unknown comdat"))
    }
}

fn get<'n>(list: &'n [Vec<u8>], id: u64, what: &'static str) -> Understood<&'n [u8]> {
    let found = usize::try_from(id).ok().and_then(|id| list.get(id));
    found.map(|name| &name[..]).ok_or(NotUnderstood(what))
}

fn each<'a>(
    bytes: &'a [u8],
    block: &Block,
    info: &BlockInfo,
    code: u32,
    mut take: impl FnMut(&Record<'a>) -> Understood<()>,
) -> Understood<()> {
    const UNKNOWN: &str = "an unknown name";
    each_record(bytes, block, info, UNKNOWN, |record| match record.code == code {
        true => take(record),
        false => Err(NotUnderstood(UNKNOWN)),
    })
}
