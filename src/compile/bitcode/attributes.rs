//! Attribute lists by content.
//!
//! A list is digested with the types that attributes name; a few attributes that decide about
//! inlining are kept as flags.

use hashbrown::HashMap;

use super::bitstream::{Block, BlockInfo, each_record};
use super::digest::{Content, Digest};
use super::types::Types;
use super::{NotUnderstood, Understood};

const NESTED: &str = "a block within the attributes";

/// Attributes of a function that this module's users ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    pub always_inline: bool,
    pub inline_hint: bool,
    pub no_inline: bool,
    pub opt_none: bool,
    pub returns_twice: bool,
    pub naked: bool,
}

impl Flags {
    fn add(&mut self, other: Flags) {
        self.always_inline |= other.always_inline;
        self.inline_hint |= other.inline_hint;
        self.no_inline |= other.no_inline;
        self.opt_none |= other.opt_none;
        self.returns_twice |= other.returns_twice;
        self.naked |= other.naked;
    }
}

#[derive(Default)]
pub(super) struct Attributes {
    groups: HashMap<u64, (Digest, Flags), foldhash::fast::FixedState>,
    lists: Vec<(Digest, Flags)>,
}

/// The index that means the function itself.
const FUNCTION: u64 = 0xFFFF_FFFF;

impl Attributes {
    /// The list that a record names: 0 is none.
    pub fn get(&self, list: u64) -> Understood<(Digest, Flags)> {
        let Some(index) = list.checked_sub(1) else {
            return Ok(Default::default());
        };
        let found = usize::try_from(index).ok().and_then(|index| self.lists.get(index));
        found.copied().ok_or(NotUnderstood("an unknown list of attributes"))
    }

    /// Reads a PARAMATTR_GROUP block.
    pub fn read_groups(
        &mut self,
        bytes: &[u8],
        block: &Block,
        info: &BlockInfo,
        types: &Types,
    ) -> Understood<()> {
        let mut content = Content::default();
        each_record(bytes, block, info, NESTED, |record| {
            let (3, [id, index, attributes @ ..]) = (record.code, &record.ops[..]) else {
                return Err(NotUnderstood("an unknown kind of attributes"));
            };
            content.number(*index);
            let flags = group(attributes, types, &mut content)?;
            let flags = if *index == FUNCTION { flags } else { Flags::default() };
            self.groups.insert(*id, (content.finish(), flags));
            Ok(())
        })
    }

    /// Reads a PARAMATTR block.
    pub fn read_lists(&mut self, bytes: &[u8], block: &Block, info: &BlockInfo) -> Understood<()> {
        let mut content = Content::default();
        each_record(bytes, block, info, NESTED, |record| {
            if record.code != 2 {
                return Err(NotUnderstood("an unknown kind of attributes"));
            }
            let mut flags = Flags::default();
            for id in &record.ops {
                let (digest, of_group) =
                    self.groups.get(id).ok_or(NotUnderstood("an unknown group of attributes"))?;
                content.digest(*digest);
                flags.add(*of_group);
            }
            self.lists.push((content.finish(), flags));
            Ok(())
        })
    }
}

/// Attributes follow each other; the first number of each says how it is written.
fn group(mut ops: &[u64], types: &Types, content: &mut Content) -> Understood<Flags> {
    let mut flags = Flags::default();
    while let [form, rest @ ..] = ops {
        content.number(*form);
        ops = match (form, rest) {
            // Present or not.
            (0 | 5, [kind, rest @ ..]) => {
                content.number(*kind);
                match kind {
                    2 => flags.always_inline = true,
                    4 => flags.inline_hint = true,
                    7 => flags.naked = true,
                    14 => flags.no_inline = true,
                    23 => flags.returns_twice = true,
                    37 => flags.opt_none = true,
                    _ => {}
                }
                rest
            }
            // With a number.
            (1, [kind, value, rest @ ..]) => {
                content.number(*kind);
                content.number(*value);
                rest
            }
            // Text, and text with a value; each ends with a nought.
            (3, rest) => text(rest, content)?,
            (4, rest) => text(text(rest, content)?, content)?,
            // With a type.
            (6, [kind, of, rest @ ..]) => {
                content.number(*kind);
                content.digest(types.get(*of)?.digest);
                rest
            }
            // With a range.
            (7, [kind, width, rest @ ..]) => {
                content.number(*kind);
                content.number(*width);
                bounds(*width, rest, content)?
            }
            // With ranges.
            (8, [kind, count, width, rest @ ..]) => {
                content.numbers(&[*kind, *count, *width]);
                if *count > rest.len() as u64 {
                    return Err(NotUnderstood("an attribute is too short"));
                }
                let mut rest = rest;
                for _ in 0..*count {
                    rest = bounds(*width, rest, content)?;
                }
                rest
            }
            _ => return Err(NotUnderstood("an unknown form of attribute")),
        };
    }
    Ok(flags)
}

fn text<'o>(ops: &'o [u64], content: &mut Content) -> Understood<&'o [u64]> {
    let end = ops.iter().position(|c| *c == 0).ok_or(NotUnderstood("an attribute without an end"))?;
    content.numbers(&ops[..end]);
    Ok(&ops[end + 1..])
}

/// The lower and the upper bound of a range.
fn bounds<'o>(width: u64, ops: &'o [u64], content: &mut Content) -> Understood<&'o [u64]> {
    let count = match ops {
        [words, ..] if width > 64 => 1 + (words & 0xFFFF_FFFF).saturating_add(words >> 32),
        _ => 2,
    };
    if count > ops.len() as u64 {
        return Err(NotUnderstood("a range is too short"));
    }
    let (bounds, rest) = ops.split_at(count as usize);
    content.numbers(bounds);
    Ok(rest)
}
