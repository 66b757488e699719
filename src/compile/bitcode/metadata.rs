//! Metadata nodes of a module, and of the function being read.
//!
//! Nodes that are nothing but content (strings, numbers, nodes of those) have a digest at once.
//! Others depend on who asks: distinct nodes, whose identity counts, nodes that contain
//! themselves, values of a function. Debug information is told apart and never counts.

use super::bitstream::{Block, BlockInfo, Cursor, Entry, Reader, Record};
use super::digest::{Content, Digest};
use super::{NotUnderstood, Understood};

/// The code of a value's record: its type and its number.
pub(super) const VALUE: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    String,
    /// Of a type and a value.
    Value,
    Node,
    Distinct,
    /// Debug information.
    Debug,
}

#[derive(Clone, Copy)]
pub(super) struct Node {
    pub form: Form,
    /// Its operands, or for a string where it stands among the strings.
    at: u32,
    count: u32,
    /// When it is nothing but content.
    pub digest: Option<Digest>,
}

#[derive(Default)]
pub(super) struct Metadata {
    nodes: Vec<Node>,
    pool: Vec<u64>,
    /// Where each string is in `characters`.
    strings: Vec<(usize, usize)>,
    characters: Vec<u8>,
    /// Name and operands of each named node.
    pub named: Vec<(Vec<u8>, Vec<u64>)>,
    /// Global values and what is attached to them.
    pub attached: Vec<(u64, Vec<u64>)>,
}

/// Lengths to go back to after a function.
pub(super) struct Mark([usize; 6]);

impl Metadata {
    pub fn get(&self, id: u64) -> Understood<&Node> {
        let found = usize::try_from(id).ok().and_then(|id| self.nodes.get(id));
        found.ok_or(NotUnderstood("unknown metadata"))
    }

    pub fn ops(&self, node: &Node) -> &[u64] {
        let at = node.at as usize;
        self.pool.get(at..at + node.count as usize).unwrap_or_default()
    }

    pub fn text(&self, id: u64) -> Option<&[u8]> {
        let node = self.get(id).ok().filter(|node| node.form == Form::String)?;
        let (from, to) = *self.strings.get(node.at as usize)?;
        self.characters.get(from..to)
    }

    /// Numbers of the values that nodes are.
    pub fn values(&self) -> impl Iterator<Item = u64> + '_ {
        let nodes = self.nodes.iter().filter(|node| node.form == Form::Value);
        nodes.filter_map(|node| self.ops(node).get(1).copied())
    }

    pub fn mark(&self) -> Mark {
        let (named, attached) = (self.named.len(), self.attached.len());
        let texts = (self.strings.len(), self.characters.len());
        Mark([self.nodes.len(), self.pool.len(), texts.0, texts.1, named, attached])
    }

    pub fn back_to(&mut self, mark: Mark) {
        let Mark([nodes, pool, strings, characters, named, attached]) = mark;
        self.nodes.truncate(nodes);
        self.pool.truncate(pool);
        self.strings.truncate(strings);
        self.characters.truncate(characters);
        self.named.truncate(named);
        self.attached.truncate(attached);
    }

    /// Reads a METADATA block and digests what is nothing but content. `plain` gives the content
    /// of a value that needs no more than itself.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        block: &Block,
        info: &BlockInfo,
        record: &mut Record<'a>,
        plain: &dyn Fn(u64, &mut Content) -> Understood<bool>,
    ) -> Understood<()> {
        let first = self.nodes.len();
        let mut name = None;
        let mut reader = Reader::new(bytes, block, info);
        loop {
            match reader.next(record)? {
                Entry::End => break,
                Entry::Block(_) => return Err(NotUnderstood("a block within the metadata")),
                Entry::Abbreviation => {}
                Entry::Record => match record.code {
                    VALUE => self.push(Form::Value, &record.ops)?,
                    3 => self.push(Form::Node, &record.ops)?,
                    5 => self.push(Form::Distinct, &record.ops)?,
                    35 => self.read_strings(record)?,
                    4 => name = Some(record.text(0)),
                    10 => {
                        let name = name.take().ok_or(NotUnderstood("a named node without a name"))?;
                        self.named.push((name, record.ops.clone()));
                    }
                    36 => {
                        let [global, attached @ ..] = &record.ops[..] else {
                            return Err(NotUnderstood("an attachment to nothing"));
                        };
                        self.attached.push((*global, attached.to_vec()));
                    }
                    // INDEX_OFFSET, INDEX
                    38 | 39 => {}
                    // Every kind of debug information there is in LLVM 19.
                    7 | 12..=34 | 37 | 40 | 41 | 44..=47 => self.push(Form::Debug, &[])?,
                    _ => return Err(NotUnderstood("an unknown kind of metadata")),
                },
            }
        }
        self.digest_from(first, plain)
    }

    fn push(&mut self, form: Form, ops: &[u64]) -> Understood<()> {
        let at = u32::try_from(self.pool.len()).map_err(|_| NotUnderstood("too much metadata"))?;
        self.pool.extend_from_slice(ops);
        self.nodes.push(Node { form, at, count: ops.len() as u32, digest: None });
        Ok(())
    }

    /// Lengths as numbers in a blob, then the characters of all.
    fn read_strings(&mut self, record: &Record<'_>) -> Understood<()> {
        let bad = NotUnderstood("damaged strings of metadata");
        let (count, offset) = (record.op(0)?, record.op(1)? as usize);
        let lengths = record.blob.get(..offset).ok_or(bad)?;
        let mut characters = record.blob.get(offset..).ok_or(bad)?;
        let mut cursor = Cursor::new(lengths, 0, usize::MAX);
        for _ in 0..count {
            let length = usize::try_from(cursor.vbr(6)?).map_err(|_| bad)?;
            let (text, rest) = characters.split_at_checked(length).ok_or(bad)?;
            characters = rest;
            let at = self.strings.len() as u32;
            let from = self.characters.len();
            self.characters.extend_from_slice(text);
            self.strings.push((from, self.characters.len()));
            self.nodes.push(Node { form: Form::String, at, count: 0, digest: None });
        }
        Ok(())
    }

    /// Digests nodes in order. What a node is made of mostly comes before it; where it does not,
    /// the node stays without a digest, and is looked into whenever it is met.
    fn digest_from(
        &mut self,
        first: usize,
        plain: &dyn Fn(u64, &mut Content) -> Understood<bool>,
    ) -> Understood<()> {
        let mut content = Content::default();
        for index in first..self.nodes.len() {
            let node = self.nodes[index];
            content.number(node.form as u64);
            let pure = match node.form {
                // Only those that others are made of are needed.
                Form::String | Form::Debug | Form::Distinct => false,
                Form::Value => match self.ops(&node) {
                    [_, value] => plain(*value, &mut content)?,
                    _ => return Err(NotUnderstood("a value of metadata")),
                },
                Form::Node => self.plain_node(&node, index, &mut content)?,
            };
            let digest = content.finish();
            self.nodes[index].digest = pure.then_some(digest);
        }
        Ok(())
    }

    fn plain_node(&self, node: &Node, index: usize, content: &mut Content) -> Understood<bool> {
        for op in self.ops(node) {
            let Some(id) = op.checked_sub(1) else {
                content.number(0);
                continue;
            };
            let operand = self.get(id)?;
            match (operand.form, operand.digest) {
                (Form::Debug, _) => {}
                (Form::String, _) => {
                    content.number(1);
                    content.bytes(self.text(id).unwrap_or_default());
                }
                (_, Some(digest)) if id < index as u64 => {
                    content.number(2);
                    content.digest(digest);
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
