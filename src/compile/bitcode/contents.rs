//! What values are by their content, whatever their numbers.
//!
//! A function is its name and all that its record says; so is a variable that may be written.
//! A constant variable is its initialiser as well, because the optimiser reads it; a private one
//! has no name that counts. Constants are digested once and remembered.

use std::cell::RefCell;

use super::attributes::Attributes;
use super::components::Graph;
use super::constants::{Operand, operands};
use super::digest::{Content, Digest};
use super::file::{Outline, Reached, Seen};
use super::globals::{Global, Kind, linkage, place, string};
use super::metadata::Metadata;
use super::names::Names;
use super::{NotUnderstood, Understood};

/// Deeper than any constant that a compiler nests.
const DEEPEST: u32 = 200;

pub(super) struct Contents {
    pub outline: Outline,
    /// For each global the digest of its record, its name included.
    pub declared: Vec<Digest>,
    /// For each global what it means to whoever refers to it.
    pub referred: Vec<Digest>,
    remembered: RefCell<Remembered>,
}

#[derive(Default)]
struct Remembered {
    digests: Vec<Option<Digest>>,
    /// What has been remembered since it was last asked.
    trail: Vec<usize>,
    buffers: Vec<Content>,
}

impl Contents {
    pub fn new(
        outline: Outline,
        attributes: &Attributes,
        names: &Names,
        metadata: &Metadata,
        strtab: &[u8],
    ) -> Understood<Self> {
        let mut declared = Vec::with_capacity(outline.globals.len());
        let mut referred = Vec::with_capacity(outline.globals.len());
        let mut content = Content::default();
        let described = Described { outline: &outline, attributes, names, metadata, strtab };
        let mut attached: Vec<Option<&[u64]>> = vec![None; outline.globals.len()];
        for (global, pairs) in &metadata.attached {
            let slot = attached.get_mut(*global as usize).ok_or(NotUnderstood("an attachment to nothing"))?;
            *slot = Some(pairs);
        }
        for (global, attached) in outline.globals.iter().zip(&attached) {
            described.put(global, attached.unwrap_or_default(), &mut content)?;
            let digest = content.finish();
            // The name of a private constant only tells it apart from others.
            referred.push(digest);
            content.digest(digest);
            content.bytes(global.name.as_bytes());
            declared.push(content.finish());
        }
        let nameless = |g: &Global| g.is_constant() && g.linkage() == linkage::PRIVATE;
        for (index, global) in outline.globals.iter().enumerate() {
            if !nameless(global) {
                referred[index] = declared[index];
            }
        }
        let mut contents = Self { outline, declared, referred, remembered: RefCell::default() };
        contents.follow_initialisers()?;
        Ok(contents)
    }

    /// Whether the content of what it leads to counts, for those who refer to it.
    pub fn leads_on(global: &Global) -> Option<u64> {
        match global.kind {
            Kind::Variable if global.is_constant() => global.initialiser(),
            Kind::Alias | Kind::Ifunc => global.aliasee(),
            Kind::Variable | Kind::Function => None,
        }
    }

    /// Adds initialisers to what constant variables and aliases are.
    fn follow_initialisers(&mut self) -> Understood<()> {
        let mut graph = Graph::default();
        let mut seen = Seen::default();
        for global in &self.outline.globals {
            let mut to = Vec::new();
            if let Some(value) = Self::leads_on(global) {
                seen.forget();
                self.outline.reach(value, &mut seen, &mut |reached| {
                    if let Reached::Global(other) = reached {
                        to.push(other as u32);
                    }
                    Ok(())
                })?;
            }
            graph.push(to);
        }
        let mut content = Content::default();
        graph.components(|members, circular| {
            if let ([one], false) = (members, circular) {
                let at = *one as usize;
                if let Some(value) = Self::leads_on(&self.outline.globals[at]) {
                    content.digest(self.referred[at]);
                    content.digest(self.digest(value)?);
                    self.referred[at] = content.finish();
                }
                return Ok(());
            }
            // Within a circle each counts by its name, and all of them for each.
            let mut members = members.to_vec();
            members.sort_unstable_by_key(|member| &self.outline.globals[*member as usize].name);
            for member in &members {
                let at = *member as usize;
                if self.outline.globals[at].name.is_empty() {
                    return Err(NotUnderstood("a circle of constants without names"));
                }
                self.referred[at] = self.declared[at];
            }
            self.remembered.borrow_mut().trail.clear();
            for member in &members {
                content.digest(self.declared[*member as usize]);
                if let Some(value) = Self::leads_on(&self.outline.globals[*member as usize]) {
                    content.digest(self.digest(value)?);
                }
            }
            let all = content.finish();
            self.forget_trail();
            for member in members {
                content.digest(self.declared[member as usize]);
                content.digest(all);
                self.referred[member as usize] = content.finish();
            }
            Ok(())
        })
    }

    fn forget_trail(&self) {
        let remembered = &mut *self.remembered.borrow_mut();
        for index in remembered.trail.drain(..) {
            remembered.digests[index] = None;
        }
    }

    /// Forgets the constants of the function that was read.
    pub fn forget_locals(&mut self) {
        self.outline.local.clear();
        let remembered = self.remembered.get_mut();
        remembered.digests.truncate(self.outline.constants.list.len());
        remembered.trail.clear();
    }

    /// What a global or a constant is by its content.
    pub fn digest(&self, value: u64) -> Understood<Digest> {
        self.digest_within(value, 0)
    }

    fn digest_within(&self, value: u64, depth: u32) -> Understood<Digest> {
        if let Some(digest) = self.referred.get(value as usize) {
            return Ok(*digest);
        }
        let (constant, ops, index) = self.outline.constant(value)?;
        let mut content = {
            let remembered = &mut *self.remembered.borrow_mut();
            if let Some(Some(digest)) = remembered.digests.get(index) {
                return Ok(*digest);
            }
            remembered.buffers.pop().unwrap_or_default()
        };
        if depth > DEEPEST {
            return Err(NotUnderstood("a constant is nested too deeply"));
        }
        content.digest(self.outline.types.get(u64::from(constant.r#type))?.digest);
        content.number(u64::from(constant.code));
        content.number(ops.len() as u64);
        operands(constant.code, ops, &mut |operand| {
            match operand {
                Operand::Number(number) => content.number(number),
                Operand::Type(id) => content.digest(self.outline.types.get(id)?.digest),
                Operand::Value(value) => content.digest(self.digest_within(value, depth + 1)?),
            }
            Ok(())
        })?;
        let digest = content.finish();
        let remembered = &mut *self.remembered.borrow_mut();
        if remembered.digests.len() <= index {
            remembered.digests.resize(index + 1, None);
        }
        remembered.digests[index] = Some(digest);
        remembered.trail.push(index);
        remembered.buffers.push(content);
        Ok(digest)
    }
}

/// Content of a value that metadata names, if it needs no more than itself: globals count by
/// name here, because what is attached to them may refer to them.
pub(super) fn plain(outline: &Outline, value: u64, content: &mut Content) -> Understood<bool> {
    if let Some(global) = outline.globals.get(value as usize) {
        content.number(1);
        content.bytes(global.name.as_bytes());
        return Ok(!global.name.is_empty());
    }
    let Ok((constant, ops, _)) = outline.constant(value) else {
        // A value of a function.
        return Ok(false);
    };
    content.number(0);
    content.digest(outline.types.get(u64::from(constant.r#type))?.digest);
    content.number(u64::from(constant.code));
    content.numbers(ops);
    Ok(matches!(constant.code, 2 | 3 | 4 | 5 | 6 | 8 | 9 | 22 | 26))
}

/// What the record of a global says, with numbers replaced by what they stand for.
struct Described<'d> {
    outline: &'d Outline,
    attributes: &'d Attributes,
    names: &'d Names,
    metadata: &'d Metadata,
    strtab: &'d [u8],
}

impl Described<'_> {
    fn put(&self, global: &Global, attached: &[u64], content: &mut Content) -> Understood<()> {
        content.number(global.kind as u64);
        let mut ops = global.ops.clone();
        ops.resize(ops.len().max(place::variable::COUNT), 0);
        // What numbers stand for comes first, and then the numbers that stand for themselves.
        ops[place::NAME] = 0;
        ops[place::NAME + 1] = 0;
        let mut taken = |place: usize| std::mem::take(&mut ops[place]);
        content.digest(self.outline.types.get(taken(place::TYPE))?.digest);
        let partition = match global.kind {
            Kind::Function => {
                use place::function as at;
                content.digest(self.attributes.get(taken(at::ATTRIBUTES))?.0);
                content.bytes(self.names.section(taken(at::SECTION))?);
                content.bytes(self.names.collector(taken(at::GC))?);
                content.digest(self.names.comdat(taken(at::COMDAT))?);
                // They belong to the body.
                for place in [at::PROLOGUE, at::PREFIX, at::PERSONALITY] {
                    taken(place);
                }
                at::PARTITION
            }
            Kind::Variable => {
                use place::variable as at;
                content.digest(self.attributes.get(taken(at::ATTRIBUTES))?.0);
                content.bytes(self.names.section(taken(at::SECTION))?);
                content.digest(self.names.comdat(taken(at::COMDAT))?);
                // Defined or declared is said here, as what elsewhere.
                content.number(u64::from(taken(at::INITIALISER) != 0));
                at::PARTITION
            }
            Kind::Alias => {
                taken(place::alias::OF);
                place::alias::PARTITION
            }
            Kind::Ifunc => {
                taken(place::alias::OF);
                place::ifunc::PARTITION
            }
        };
        if global.ops.get(partition + 1).is_some_and(|length| *length > 0) {
            content.bytes(string(&global.ops, partition, self.strtab)?);
        }
        // The offset of an empty name means nothing.
        taken(partition);
        content.numbers(&ops);
        self.put_attached(attached, content)
    }

    fn put_attached(&self, attached: &[u64], content: &mut Content) -> Understood<()> {
        for pair in attached.chunks(2) {
            let [kind, node] = *pair else {
                return Err(NotUnderstood("an attachment without a node"));
            };
            let Some(kind) = self.names.kind(kind)? else {
                continue;
            };
            let digest = self.metadata.get(node)?.digest;
            content.bytes(kind);
            content.digest(digest.ok_or(NotUnderstood("an attachment to a global value"))?);
        }
        Ok(())
    }
}
