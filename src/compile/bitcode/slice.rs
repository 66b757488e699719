//! A part of a module: the same bitcode with some of its definitions.
//!
//! Whatever is not kept becomes a declaration in its place, so no number of a type, value or
//! metadata node changes and all other blocks are copied as they are. LLVM parses, and makes
//! code for, no more than is kept. Left out is what only helps a reader to find function bodies,
//! which are then met in their order.

use super::bitstream::{Block, Entry, Reader, Record};
use super::constants::{self, BLOCK_ADDRESS};
use super::file::{File, MAGIC, Outline, Reached, Seen, block};
use super::function::Body;
use super::globals::{Global, Kind, code, linkage, place};
use super::summary::{Placed, Reading};
use super::types;
use super::uses::Use;
use super::writer::{Open, Writer};
use super::{NotUnderstood, Understood};

/// What kind of definition a slice may keep or turn into a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Definition {
    Function,
    Variable,
    /// An alias or an ifunc. It cannot be kept without what it leads to.
    Alias,
}

/// The module with those of its definitions that `keep` says.
///
/// Variables and aliases without a name are kept without asking, because nothing else could
/// mean them. Appending variables (`llvm.global_ctors`) that are not kept become declarations
/// that nothing uses, which LLVM ignores.
pub(crate) fn slice(
    reading: &Reading,
    others: Others,
    keep: &dyn Fn(Definition, &str) -> bool,
) -> Understood<Vec<u8>> {
    let file = File::read(&reading.bitcode)?;
    let (module, contents) = &*reading.fixed.tables.lock();
    let mut plan = Plan::new(&contents.outline, &reading.bodies, keep)?;
    plan.check_block_addresses(&file)?;
    if others == Others::AsNeeded {
        plan.find_needed(&file, module)?;
    }

    let mut writer = Writer::with_capacity(file.bytes.len() / 8);
    for byte in MAGIC {
        writer.fixed(u64::from(byte), 8);
    }
    if let Some(identification) = &file.identification {
        writer.block(file.bytes, 2, identification);
    }
    plan.write(&file, &mut writer)?;
    writer.block(file.bytes, 2, &file.strtab_block);
    Ok(writer.finish())
}

/// Which of the other functions and variables a slice declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    All,
    /// Those that its definitions refer to.
    AsNeeded,
}

pub(super) struct Plan<'o> {
    pub outline: &'o Outline,
    bodies: &'o [Option<Placed>],
    /// For each global whether it stays as it is.
    pub stays: Vec<bool>,
    /// For each global whether it is at least declared. Others are only a number.
    pub needed: Vec<bool>,
    /// Constants that are addresses of blocks of functions that do not stay.
    lost: Vec<usize>,
}

impl<'o> Plan<'o> {
    fn new(
        outline: &'o Outline,
        bodies: &'o [Option<Placed>],
        keep: &dyn Fn(Definition, &str) -> bool,
    ) -> Understood<Self> {
        let mut stays = Vec::with_capacity(outline.globals.len());
        for global in &outline.globals {
            let asked = |kind| keep(kind, &global.name);
            stays.push(match global.kind {
                Kind::Function if !global.has_body() => true,
                Kind::Function if global.name.is_empty() => {
                    return Err(NotUnderstood("a function without a name"));
                }
                Kind::Function => asked(Definition::Function),
                Kind::Variable => {
                    global.initialiser().is_none() || global.name.is_empty() || asked(Definition::Variable)
                }
                Kind::Alias | Kind::Ifunc => global.name.is_empty() || asked(Definition::Alias),
            });
        }
        let needed = vec![true; stays.len()];
        let mut plan = Self { outline, bodies, stays, needed, lost: Vec::new() };
        plan.drop_aliases()?;
        Ok(plan)
    }

    /// An alias must lead to a definition. An alias may lead to an alias.
    fn drop_aliases(&mut self) -> Understood<()> {
        let mut seen = Seen::default();
        loop {
            let mut changed = false;
            for (index, global) in self.outline.globals.iter().enumerate() {
                let Some(of) = global.aliasee().filter(|_| self.stays[index]) else {
                    continue;
                };
                let mut defined = true;
                seen.forget();
                self.outline.reach(of, &mut seen, &mut |reached| {
                    if let Reached::Global(base) = reached {
                        defined &= self.defines(base);
                    }
                    Ok(())
                })?;
                if !defined {
                    if global.name.is_empty() {
                        return Err(NotUnderstood("an alias without a name"));
                    }
                    self.stays[index] = false;
                    changed = true;
                }
            }
            if !changed {
                return Ok(());
            }
        }
    }

    fn defines(&self, index: usize) -> bool {
        let global = &self.outline.globals[index];
        self.stays[index]
            && match global.kind {
                Kind::Function => global.has_body(),
                Kind::Variable => global.initialiser().is_some(),
                Kind::Alias | Kind::Ifunc => true,
            }
    }

    fn stays(&self, value: u64) -> bool {
        usize::try_from(value).ok().and_then(|value| self.stays.get(value)).copied().unwrap_or(false)
    }

    /// The address of a block needs the block: LLVM does not read such a constant when the
    /// function has no body. Constants that only dropped variables use become null.
    fn check_block_addresses(&mut self, file: &File<'_>) -> Understood<()> {
        let outline = self.outline;
        for (index, constant) in outline.constants.list.iter().enumerate() {
            if constant.code == BLOCK_ADDRESS {
                let function = outline.constants.ops(constant).get(1).copied().unwrap_or(u64::MAX);
                if !self.stays(function) {
                    self.lost.push(index);
                }
            }
        }
        let unkept = NotUnderstood("the address of a block of a function that is not kept");
        if !self.lost.is_empty() {
            let mut seen = Seen::default();
            seen.forget();
            let stay = outline.globals.iter().enumerate().filter(|(index, _)| self.stays[*index]);
            for value in stay.flat_map(|(_, global)| constant_operands(global)) {
                outline.reach(value, &mut seen, &mut |reached| match reached {
                    Reached::BlockOf(function) if !self.stays(function) => Err(unkept),
                    _ => Ok(()),
                })?;
            }
            for (_, _, body) in self.kept_bodies() {
                let body = body.ok_or(NotUnderstood("a body"))?;
                let lost = |r#use: &Use| matches!(r#use, Use::BlockTaken(of) if !self.stays(u64::from(*of)));
                if body.uses.iter().any(lost) {
                    return Err(unkept);
                }
            }
        }
        for (_, block, _) in self.kept_bodies() {
            self.check_body(file, block, unkept)?;
        }
        Ok(())
    }

    /// Functions that stay, where their bodies are, and what they say if that is known.
    pub fn kept_bodies(&self) -> impl Iterator<Item = (usize, &'o Block, Option<&'o Body>)> {
        let bodies = self.bodies.iter().enumerate().filter(|(index, _)| self.stays[*index]);
        bodies.filter_map(|(index, placed)| {
            let placed = placed.as_ref()?;
            Some((index, &placed.block, placed.body.as_deref()))
        })
    }

    /// Constants of a kept body: none may need a body that is not kept.
    fn check_body(&self, file: &File<'_>, body: &Block, unkept: NotUnderstood) -> Understood<()> {
        let mut reader = Reader::new(file.bytes, body, &self.outline.info);
        let mut record = Record::default();
        let mut constants = constants::Constants::default();
        loop {
            match reader.next(&mut record)? {
                // Constants come before the instructions; orders of uses come last and are rare.
                Entry::Block(found) if found.id == block::CONSTANTS => {
                    constants.read(file.bytes, &found, &self.outline.info, &mut record)?;
                    for constant in constants.list.iter().filter(|c| c.code == BLOCK_ADDRESS) {
                        let function = constants.ops(constant).get(1).copied().unwrap_or(u64::MAX);
                        if !self.stays(function) {
                            return Err(unkept);
                        }
                    }
                }
                Entry::End => return Ok(()),
                Entry::Block(_) | Entry::Record | Entry::Abbreviation => {}
            }
        }
    }

    /// A body without its last part, the orders of uses: those of constants that other bodies
    /// use too would be wrong.
    fn write_body(&self, file: &File<'_>, body: &Block, width: u32, writer: &mut Writer) -> Understood<()> {
        let mut reader = Reader::new(file.bytes, body, &self.outline.info);
        let mut record = Record::default();
        loop {
            let from = reader.at();
            match reader.next(&mut record)? {
                Entry::Block(found) if found.id == block::USE_LISTS => {
                    if !matches!(reader.next(&mut record)?, Entry::End) {
                        return Err(NotUnderstood("something after the orders of uses"));
                    }
                    let opened = writer.begin_of_block(file.bytes, width, body, from);
                    writer.end(opened, body.width);
                    return Ok(());
                }
                Entry::End => {
                    writer.block(file.bytes, width, body);
                    return Ok(());
                }
                Entry::Block(_) | Entry::Record | Entry::Abbreviation => {}
            }
        }
    }

    fn write(&self, file: &File<'_>, writer: &mut Writer) -> Understood<()> {
        let (bytes, module, outline) = (file.bytes, &file.module, self.outline);
        let opened = writer.enter(2, block::MODULE, module.width);
        let mut reader = Reader::new(bytes, module, &outline.info);
        let mut record = Record::default();
        let mut globals = 0..outline.globals.len();
        let mut functions = (0..outline.globals.len()).filter(|index| self.bodies[*index].is_some());
        let mut numbers = None;
        loop {
            let from = reader.at();
            let entry = reader.next(&mut record)?;
            let is_global = matches!(entry, Entry::Record) && is_global(record.code);
            let global = if is_global { globals.next() } else { None };
            if global.is_some_and(|index| !self.needed[index]) {
                self.write_number(&mut numbers, module.width, writer)?;
                continue;
            }
            numbers.take().into_iter().for_each(|open| writer.end(open, NUMBERS_WIDTH));
            match entry {
                Entry::End => break,
                Entry::Block(found) => match found.id {
                    block::FUNCTION => {
                        if functions.next().is_some_and(|function| self.stays[function]) {
                            self.write_body(file, &found, module.width, writer)?;
                        }
                    }
                    block::CONSTANTS if !self.lost.is_empty() => {
                        self.write_constants(file, &found, module.width, writer)?;
                    }
                    // They speak of all bodies.
                    block::VALUE_NAMES | block::USE_LISTS | block::SUMMARY | block::FULL_SUMMARY => {}
                    _ => writer.block(bytes, module.width, &found),
                },
                Entry::Record if matches!(record.code, code::VSTOFFSET | code::HASH) => {}
                Entry::Record | Entry::Abbreviation => match global.filter(|index| !self.stays[*index]) {
                    Some(index) => self.write_declaration(index, module.width, writer)?,
                    None => writer.bits(bytes, from, reader.at()),
                },
            }
        }
        writer.end(opened, module.width);
        Ok(())
    }

    /// A constant in the place of a global that nothing needs: it takes a number, as globals and
    /// constants do alike, and costs LLVM nothing.
    fn write_number(&self, numbers: &mut Option<Open>, width: u32, writer: &mut Writer) -> Understood<()> {
        if numbers.is_none() {
            *numbers = Some(writer.enter(width, block::CONSTANTS, NUMBERS_WIDTH));
            let pointer = self.outline.types.pointer().ok_or(NotUnderstood("no type of pointers"))?;
            writer.record(NUMBERS_WIDTH, constants::SETTYPE, &[pointer]);
        }
        writer.record(NUMBERS_WIDTH, constants::NULL, &[]);
        Ok(())
    }

    fn write_constants(
        &self,
        file: &File<'_>,
        found: &Block,
        width: u32,
        writer: &mut Writer,
    ) -> Understood<()> {
        let opened = writer.enter(width, found.id, found.width);
        let mut reader = Reader::new(file.bytes, found, &self.outline.info);
        let mut record = Record::default();
        loop {
            let from = reader.at();
            match reader.next(&mut record)? {
                Entry::End => break,
                Entry::Record if record.code == BLOCK_ADDRESS && !self.stays(record.op(1)?) => {
                    writer.record(found.width, constants::NULL, &[]);
                }
                _ => writer.bits(file.bytes, from, reader.at()),
            }
        }
        writer.end(opened, found.width);
        Ok(())
    }

    fn write_declaration(&self, index: usize, width: u32, writer: &mut Writer) -> Understood<()> {
        let global = &self.outline.globals[index];
        match global.kind {
            Kind::Function => writer.record(width, code::FUNCTION, &function_declaration(global)),
            Kind::Variable => writer.record(width, code::GLOBALVAR, &variable_declaration(global)),
            Kind::Alias | Kind::Ifunc => {
                let r#type = self.outline.types.get(global.op(place::TYPE))?;
                if matches!(r#type.kind, types::Kind::Function { .. }) {
                    let convention = self.convention_of(index)?;
                    writer.record(width, code::FUNCTION, &alias_as_function(global, convention));
                } else {
                    writer.record(width, code::GLOBALVAR, &alias_as_variable(global));
                }
            }
        }
        Ok(())
    }

    /// The calling convention of the function that an alias leads to.
    fn convention_of(&self, alias: usize) -> Understood<u64> {
        let mut seen = Seen::default();
        let mut at = alias;
        // An alias leads to an alias at most as often as there are any.
        for _ in 0..self.outline.globals.len() {
            let global = &self.outline.globals[at];
            let Some(of) = global.aliasee().filter(|_| global.kind == Kind::Alias) else {
                let is_function = global.is_function();
                return Ok(if is_function { global.op(place::function::CALL_CONVENTION) } else { 0 });
            };
            seen.forget();
            self.outline.reach(of, &mut seen, &mut |reached| {
                if let Reached::Global(base) = reached {
                    at = base;
                }
                Ok(())
            })?;
        }
        Err(NotUnderstood("an alias of itself"))
    }
}

/// Width of abbreviation ids where there are none.
const NUMBERS_WIDTH: u32 = 2;

fn is_global(code: u32) -> bool {
    matches!(code, code::GLOBALVAR | code::FUNCTION | code::ALIAS | code::IFUNC)
}

/// Constants that a global value's record names.
pub(super) fn constant_operands(global: &Global) -> impl Iterator<Item = u64> {
    let of_function = [place::function::PROLOGUE, place::function::PREFIX, place::function::PERSONALITY];
    let of_function =
        of_function.map(|p| global.is_function().then(|| global.op(p).checked_sub(1)).flatten());
    of_function.into_iter().chain([global.initialiser(), global.aliasee()]).flatten()
}

/// Only these may be declared.
fn declared(before: u64) -> u64 {
    if before == linkage::EXTERN_WEAK { linkage::EXTERN_WEAK } else { linkage::EXTERNAL }
}

fn function_declaration(global: &Global) -> Vec<u64> {
    let mut ops = global.ops.clone();
    ops[place::LINKAGE] = declared(ops[place::LINKAGE]);
    ops[place::function::IS_DECLARATION] = 1;
    // A visibility other than the default one would make it local again.
    for place in [
        place::function::SECTION,
        place::function::VISIBILITY,
        place::function::PROLOGUE,
        place::function::DLL,
        place::function::COMDAT,
        place::function::PREFIX,
        place::function::PERSONALITY,
        place::function::DSO_LOCAL,
    ] {
        ops[place] = 0;
    }
    ops
}

fn variable_declaration(global: &Global) -> Vec<u64> {
    let mut ops = global.ops.clone();
    ops[place::LINKAGE] = declared(ops[place::LINKAGE]);
    for place in [
        place::variable::INITIALISER,
        place::variable::SECTION,
        place::variable::VISIBILITY,
        place::variable::DLL,
        place::variable::COMDAT,
        place::variable::DSO_LOCAL,
    ] {
        if let Some(op) = ops.get_mut(place) {
            *op = 0;
        }
    }
    ops
}

fn alias_as_function(global: &Global, convention: u64) -> Vec<u64> {
    let mut ops = vec![0; place::function::COUNT];
    ops[..=place::TYPE].copy_from_slice(&global.ops[..=place::TYPE]);
    ops[place::function::CALL_CONVENTION] = convention;
    ops[place::function::IS_DECLARATION] = 1;
    ops[place::LINKAGE] = declared(global.linkage());
    ops[place::function::ADDRESS_SPACE] = global.op(place::alias::ADDRESS_SPACE);
    ops
}

fn alias_as_variable(global: &Global) -> Vec<u64> {
    let mut ops = vec![0; place::variable::COUNT];
    ops[..=place::TYPE].copy_from_slice(&global.ops[..=place::TYPE]);
    ops[place::variable::FLAGS] = global.op(place::alias::ADDRESS_SPACE) << 2 | 2;
    ops[place::LINKAGE] = declared(global.linkage());
    if global.kind == Kind::Alias {
        ops[place::variable::THREAD_LOCAL] = global.op(place::alias::THREAD_LOCAL);
    }
    ops
}
