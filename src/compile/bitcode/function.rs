//! Reads one function body and digests it.
//!
//! Numbers of types, values, metadata and attributes are replaced by content where they first
//! occur in the body, and by the order of that afterwards; instructions and arguments count by
//! their distance and place. So nothing that another part of the module shifts is seen, and
//! everything of the body is. What the operands of each instruction are is in
//! [`instructions`](super::instructions); this file owns the ways in which they are digested.

use super::attributes::Flags;
use super::bitstream::{Block, Entry, Reader, Record};
use super::contents::{Contents, plain};
use super::digest::{Content, Digest};
use super::file::{Reached, Seen, block};
use super::globals::{Kind, place};
use super::metadata::Form;
use super::module::Module;
use super::types;
use super::uses::Use;
use super::{NotUnderstood, Understood};

/// What is known of a body.
pub(super) struct Body {
    pub digest: Digest,
    pub instructions: u32,
    pub calls_returns_twice: bool,
    /// Global values it refers to, in the order in which it does.
    pub references: Box<[u32]>,
    pub uses: Box<[Use]>,
    /// How many bits there are until all that counts has been read.
    pub length: usize,
}

/// Numbers that have occurred in the current body, each with the order of its first occurrence.
#[derive(Default)]
struct Met {
    round: u32,
    count: u64,
    at: Vec<(u32, u64)>,
}

impl Met {
    fn forget(&mut self) {
        self.round += 1;
        self.count = 0;
    }

    /// The order of `id`, or `None` if it occurs for the first time.
    #[inline]
    fn order(&mut self, id: usize) -> Option<u64> {
        if self.at.len() <= id {
            self.at.resize(id + 1, (0, 0));
        }
        let slot = &mut self.at[id];
        if slot.0 == self.round {
            return Some(slot.1);
        }
        *slot = (self.round, self.count);
        self.count += 1;
        None
    }
}

/// Reads bodies one after the other. What it needs for one it keeps for the next.
pub(super) struct Walker<'m, 'a> {
    bytes: &'a [u8],
    pub module: &'m mut Module,
    pub contents: &'m mut Contents,
    pub content: Content,
    /// The record being read, and the next operand of it.
    pub record: Record<'a>,
    pub next: usize,
    values: Met,
    types: Met,
    attributes: Met,
    metadata: Met,
    globals: Met,
    taken: Met,
    seen: Seen,
    references: Vec<u32>,
    uses: Vec<Use>,
    first_argument: u64,
    first_instruction: u64,
    /// The number of the next value.
    pub number: u64,
    pub instructions: u32,
    pub returns_twice: bool,
    /// Places of debug calls among the instructions, which do not count.
    pub skipped: Vec<u32>,
    /// It counts where in the source instructions stand.
    pub lines: bool,
}

impl<'m, 'a> Walker<'m, 'a> {
    pub fn new(bytes: &'a [u8], module: &'m mut Module, contents: &'m mut Contents, lines: bool) -> Self {
        Self {
            bytes,
            module,
            contents,
            content: Content::default(),
            record: Record::default(),
            next: 0,
            values: Met::default(),
            types: Met::default(),
            attributes: Met::default(),
            metadata: Met::default(),
            globals: Met::default(),
            taken: Met::default(),
            seen: Seen::default(),
            references: Vec::new(),
            uses: Vec::new(),
            first_argument: 0,
            first_instruction: 0,
            number: 0,
            instructions: 0,
            returns_twice: false,
            skipped: Vec::new(),
            lines,
        }
    }

    /// Reads the body of a function.
    pub fn read(&mut self, function: usize, body: &Block) -> Understood<Body> {
        let mark = self.module.metadata.mark();
        let Self { values, types, attributes, metadata, globals, taken, .. } = self;
        [values, types, attributes, metadata, globals, taken].into_iter().for_each(Met::forget);
        self.seen.forget();
        self.references.clear();
        self.uses.clear();
        self.content.finish();
        self.skipped.clear();
        (self.instructions, self.returns_twice) = (0, false);
        let read = self.read_inner(function, body);
        self.module.metadata.back_to(mark);
        self.contents.forget_locals();
        read
    }

    fn read_inner(&mut self, function: usize, body: &Block) -> Understood<Body> {
        let outline = &self.contents.outline;
        let r#type = outline.types.get(outline.globals[function].op(place::TYPE))?;
        if !matches!(r#type.kind, types::Kind::Function { .. }) {
            return Err(NotUnderstood("a function of no function type"));
        }
        let arguments = outline.types.parameters(r#type).len() as u64;
        self.first_argument = (outline.globals.len() + outline.constants.list.len()) as u64;
        self.contents.outline.local_base = self.first_argument + arguments;
        self.first_instruction = self.contents.outline.local_base;
        self.number = self.first_instruction;
        self.content.digest(self.contents.declared[function]);
        for place in [place::function::PROLOGUE, place::function::PREFIX, place::function::PERSONALITY] {
            match self.contents.outline.globals[function].op(place).checked_sub(1) {
                Some(value) => self.value(value, false)?,
                None => self.content.number(0),
            }
        }
        let mut reader = Reader::new(self.bytes, body, &self.contents.outline.info);
        let mut end = None;
        loop {
            let at = reader.at();
            match reader.next(&mut self.record)? {
                Entry::End => {
                    end.get_or_insert(at);
                    break;
                }
                Entry::Block(found) if found.id == block::USE_LISTS => {
                    end.get_or_insert(at);
                    continue;
                }
                Entry::Abbreviation => {}
                Entry::Block(found) => self.block(found)?,
                Entry::Record => {
                    self.next = 0;
                    self.instruction()?;
                }
            }
            end = None;
        }
        Ok(Body {
            digest: self.content.finish(),
            instructions: self.instructions,
            calls_returns_twice: self.returns_twice,
            references: self.references[..].into(),
            uses: self.uses[..].into(),
            length: end.unwrap_or(body.end) - body.body,
        })
    }

    fn block(&mut self, found: Block) -> Understood<()> {
        let bytes = self.bytes;
        let outline = &mut self.contents.outline;
        match found.id {
            block::CONSTANTS => {
                if self.number != self.first_instruction || self.instructions > 0 {
                    return Err(NotUnderstood("constants after instructions"));
                }
                outline.local.read(bytes, &found, &outline.info, &mut self.record)?;
                self.first_instruction = outline.local_base + outline.local.list.len() as u64;
                self.number = self.first_instruction;
                Ok(())
            }
            block::METADATA => {
                let outline = &self.contents.outline;
                let attached = self.module.metadata.attached.len();
                self.module.metadata.read(
                    bytes,
                    &found,
                    &outline.info,
                    &mut self.record,
                    &|value, content| plain(outline, value, content),
                )?;
                if self.module.metadata.attached.len() != attached {
                    return Err(NotUnderstood("an attachment to a global value in a body"));
                }
                Ok(())
            }
            block::ATTACHMENTS => self.attachments(&found),
            block::VALUE_NAMES => Ok(()),
            _ => Err(NotUnderstood("an unknown block in a function")),
        }
    }

    fn attachments(&mut self, found: &Block) -> Understood<()> {
        let mut reader = Reader::new(self.bytes, found, &self.contents.outline.info);
        let mut record = Record::default();
        let mut before = 0;
        loop {
            match reader.next(&mut record)? {
                Entry::End => return Ok(()),
                Entry::Abbreviation => continue,
                Entry::Record if record.code == 11 => {}
                Entry::Block(_) | Entry::Record => return Err(NotUnderstood("an unknown attachment")),
            }
            // An even number of operands is of the function itself.
            let (of, pairs) = match &record.ops[..] {
                ops if ops.len() % 2 == 0 => (None, ops),
                [of, pairs @ ..] => (Some(*of), pairs),
                [] => continue,
            };
            for pair in pairs.chunks_exact(2) {
                let Some(kind) = self.module.names.kind(pair[0])? else {
                    continue;
                };
                self.content.number(1);
                match of {
                    Some(of) => {
                        let skipped = self.skipped.partition_point(|skipped| u64::from(*skipped) < of);
                        let of = of.wrapping_sub(skipped as u64).wrapping_add(1);
                        self.content.number(of.wrapping_sub(before));
                        before = of;
                    }
                    None => self.content.number(0),
                }
                self.content.bytes(kind);
                self.metadata(pair[1], 0)?;
            }
        }
    }

    /// A type by its number.
    #[inline]
    pub fn r#type(&mut self, id: u64) -> Understood<()> {
        let digest = self.contents.outline.types.get(id)?.digest;
        match self.types.order(id as usize) {
            Some(order) => self.content.number(order + 1),
            None => {
                self.content.number(0);
                self.content.digest(digest);
            }
        }
        Ok(())
    }

    /// A list of attributes by its number.
    pub fn attributes(&mut self, list: u64) -> Understood<Flags> {
        let (digest, flags) = self.module.attributes.get(list)?;
        match self.attributes.order(list as usize) {
            Some(order) => self.content.number(order + 1),
            None => {
                self.content.number(0);
                self.content.digest(digest);
            }
        }
        Ok(flags)
    }

    /// A value by its absolute number.
    #[inline]
    pub fn value(&mut self, value: u64, is_called: bool) -> Understood<()> {
        if value >= self.first_instruction {
            let distance = self.number.wrapping_sub(value) as i64;
            self.content.number((((distance << 1) ^ (distance >> 63)) as u64) << 2);
            return Ok(());
        }
        if value >= self.first_argument && value < self.contents.outline.local_base {
            self.content.number((value - self.first_argument) << 2 | 1);
            return Ok(());
        }
        let order = self.values.order(value as usize);
        match order {
            Some(order) => self.content.number(order << 2 | 2),
            None => {
                self.content.number(3);
                self.content.digest(self.contents.digest(value)?);
            }
        }
        if let Some(global) = self.contents.outline.globals.get(value as usize) {
            if is_called && global.kind == Kind::Function {
                self.uses.push(Use::Called(value as u32));
            } else if self.taken.order(value as usize).is_none() {
                self.uses.push(Use::Taken(value as u32));
            }
        }
        if order.is_none() {
            self.reach(value, is_called)?;
        }
        Ok(())
    }

    /// Notes that a thread begins with this value, if that is a function.
    pub fn begins_thread(&mut self, value: u64) {
        let global = self.contents.outline.globals.get(value as usize);
        if global.is_some_and(|global| global.kind == Kind::Function) {
            self.uses.push(Use::Started(value as u32));
        }
    }

    /// Notes what a value leads to when it occurs for the first time.
    fn reach(&mut self, value: u64, is_called: bool) -> Understood<()> {
        let Self { contents, uses, globals, taken, references, seen, .. } = self;
        let count = contents.outline.globals.len();
        let direct = is_called && contents.outline.globals.get(value as usize).is_some();
        contents.outline.reach(value, seen, &mut |reached| {
            if let Reached::Global(global) = reached
                && globals.order(global).is_none()
            {
                references.push(global as u32);
            }
            match reached {
                Reached::Global(global) if !direct && taken.order(global).is_none() => {
                    uses.push(Use::Taken(global as u32));
                }
                Reached::BlockOf(function) if function >= count as u64 => {
                    return Err(NotUnderstood("an unknown global value"));
                }
                Reached::BlockOf(function) => uses.push(Use::BlockTaken(function as u32)),
                Reached::Global(_) => {}
            }
            Ok(())
        })
    }

    /// Metadata by its number.
    pub fn metadata(&mut self, id: u64, depth: u32) -> Understood<()> {
        let node = *self.module.metadata.get(id)?;
        if node.form == Form::Debug {
            self.content.number(0);
            return Ok(());
        }
        if let Some(order) = self.metadata.order(id as usize) {
            self.content.number(order + 2);
            return Ok(());
        }
        self.content.number(1);
        self.content.number(node.form as u64);
        if let Some(digest) = node.digest {
            self.content.digest(digest);
            return Ok(());
        }
        if depth > 200 {
            return Err(NotUnderstood("metadata is nested too deeply"));
        }
        match node.form {
            Form::String => self.content.bytes(self.module.metadata.text(id).unwrap_or_default()),
            Form::Value => {
                let value = self.module.metadata.ops(&node).get(1).copied();
                self.value_of_metadata(value.ok_or(NotUnderstood("a value of metadata"))?)?;
            }
            Form::Node | Form::Distinct | Form::Debug => {
                // With debug information a loop says where it stands.
                let metadata = &self.module.metadata;
                let is_debug = |op: &&u64| {
                    op.checked_sub(1)
                        .and_then(|id| metadata.get(id).ok())
                        .is_some_and(|n| n.form == Form::Debug)
                };
                let ops = metadata.ops(&node);
                let count = ops.len() - ops.iter().filter(is_debug).count();
                self.content.number(count as u64);
                for index in 0..ops.len() {
                    match self.module.metadata.ops(&node)[index].checked_sub(1) {
                        Some(id) if self.module.metadata.get(id)?.form == Form::Debug => {}
                        Some(id) => self.metadata(id, depth + 1)?,
                        None => self.content.number(0),
                    }
                }
            }
        }
        Ok(())
    }

    /// Metadata is no use of a value: nothing is called or taken by it.
    fn value_of_metadata(&mut self, value: u64) -> Understood<()> {
        if value >= self.first_instruction {
            self.content.number(0);
            self.content.number(value - self.first_instruction);
        } else if value >= self.first_argument && value < self.contents.outline.local_base {
            self.content.number(1);
            self.content.number(value - self.first_argument);
        } else {
            self.content.number(2);
            self.content.digest(self.contents.digest(value)?);
        }
        Ok(())
    }
}
