//! Which constants may outlive the code of their generation, and which may not.
//!
//! A section of constants may hold tables of places in the middle of code. Those words
//! belong to the generation; all else may be pointed to for ever. Owns the choice, section
//! by section, between the table of constants, the image's own block, and a copy in each;
//! deliberately knows nothing of addresses.

use object::LittleEndian;

use super::keeps::Keeps;
use super::object::{Binding, Kind, Object, Place, Relocation, SymbolKind};
use super::relocate::{self, Field, Howto, Operand};
use super::starts::{Starts, is_coroutine_part, is_parallel_part};
use crate::table::SymbolId;

const LE: LittleEndian = LittleEndian;

/// Where a section of constants is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// In the image's block: it ends with the code.
    Private,
    /// In the table of constants.
    Shared,
    /// In both. What leads to one of these words, which are given by their offsets, leads
    /// to the private copy; in the shared one they are zero.
    Both(Box<[Word]>),
}

/// A word that belongs to the generation: its offset and length.
pub(super) type Word = (u64, u64);

/// How a word of constants depends on where this generation's code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dependence {
    Free,
    /// As an entry of a table for `switch`: relative, so only the code that reads it can
    /// make an address of it.
    Relative,
    /// As an address that may be copied to anywhere.
    Address,
    /// As something that only private data can name.
    Odd,
    /// As `section` at this offset does.
    As {
        section: usize,
        offset: u64,
        relative: bool,
    },
}

pub(super) struct Homes {
    homes: Vec<Home>,
    pub(super) keeps: Option<Keeps>,
}

impl Homes {
    /// Chooses a home for every section of `object`. `labels_stay` says that somebody has
    /// proved that no address of a label gets out of the code.
    pub(super) fn choose(
        object: &Object<'_>,
        ids: &[Option<SymbolId>],
        starts: &Starts,
        labels_stay: bool,
    ) -> Self {
        let mut chosen = Self { homes: vec![Home::Private; object.sections.len()], keeps: None };
        let mut sections = Vec::new();
        for (index, section) in object.sections.iter().enumerate() {
            if section.kind == Kind::Constant && section.size > 0 && !is_exception_table(section.name) {
                let words = section.relocations.iter();
                let words = words.map(|r| (r, dependence(object, ids, starts, r))).collect::<Vec<_>>();
                chosen.homes[index] = Home::Shared;
                sections.push((index, words));
            }
        }
        // A word that leads to a private copy is private itself, and so on.
        loop {
            let mut changed = false;
            for (index, words) in &sections {
                if chosen.homes[*index] == Home::Private {
                    continue;
                }
                let (home, keeps) = chosen.home(object, *index, words, labels_stay);
                if home != chosen.homes[*index] {
                    chosen.homes[*index] = home;
                    chosen.keeps = chosen.keeps.or(keeps);
                    changed = true;
                }
            }
            if !changed {
                return chosen;
            }
        }
    }

    /// Has all constants end with the code. Whether that can be freed has been found out before.
    pub(super) fn end_with_code(&mut self) {
        self.homes.fill(Home::Private);
    }

    pub(super) fn of(&self, section: usize) -> &Home {
        &self.homes[section]
    }

    /// Whether what leads to `offset` of `section` leads to something of the generation.
    pub(super) fn is_private(&self, section: usize, offset: u64) -> bool {
        match &self.homes[section] {
            Home::Private => true,
            Home::Shared => false,
            Home::Both(words) => word_at(words, offset).is_some(),
        }
    }

    /// The words of `section` that belong to the generation, from that at `offset` on.
    pub(super) fn words_from(&self, section: usize, offset: u64) -> &[Word] {
        match &self.homes[section] {
            Home::Both(words) => word_at(words, offset).map_or(&[], |at| &words[at..]),
            _ => &[],
        }
    }

    fn home(
        &self,
        object: &Object<'_>,
        index: usize,
        words: &[(&Relocation, Dependence)],
        labels_stay: bool,
    ) -> (Home, Option<Keeps>) {
        let section = &object.sections[index];
        let (mut private, mut keeps) = (Vec::new(), None);
        for &(relocation, dependence) in words {
            let dependence = match dependence {
                Dependence::As { section, .. } if section == index => Dependence::Free,
                // Of a relative word it is not known where exactly it leads.
                Dependence::As { section, relative: true, .. } if self.homes[section] != Home::Private => {
                    Dependence::Free
                }
                Dependence::As { section, offset, .. } if self.is_private(section, offset) => {
                    Dependence::Address
                }
                Dependence::As { .. } => Dependence::Free,
                other => other,
            };
            match dependence {
                Dependence::Free | Dependence::As { .. } => continue,
                Dependence::Relative => {}
                Dependence::Address => keeps = keeps.or(Some(Keeps::Labels)),
                Dependence::Odd => keeps = Some(Keeps::Constants),
            }
            private.push((relocation.r_offset.get(LE), width(object, relocation)));
        }
        if private.is_empty() {
            return (Home::Shared, None);
        }
        private.sort_unstable();
        private.dedup();
        let whole = private.iter().map(|&(_, width)| width).sum::<u64>() >= section.size;
        let data = || {
            let symbols = object.symbols.iter();
            symbols.filter(|s| s.place == Place::Section(index) && s.kind == SymbolKind::Data && s.size > 0)
        };
        if keeps == Some(Keeps::Labels) && labels_stay {
            // One table alone needs no copy for others.
            let alone = whole || data().any(|s| s.value == 0 && s.size >= section.size);
            keeps = (!alone).then_some(Keeps::Constants);
            return (Home::Private, keeps);
        }
        if keeps.is_some() {
            return (Home::Private, keeps);
        }
        // Tables for `switch` have no symbols. In anything else, or where the end of an
        // array cannot be told from the start of a table, nothing is known.
        let bounded = object.bounded.contains(&section.name);
        let unclear = |s: &super::object::Symbol<'_>| {
            let end = s.value + s.size;
            let from = private.partition_point(|&(offset, width)| offset + width <= s.value);
            private[from..].iter().take_while(|&&(offset, _)| offset <= end).next().is_some()
        };
        if bounded || data().any(unclear) {
            return (Home::Private, Some(Keeps::Constants));
        }
        if whole {
            return (Home::Private, None);
        }
        (Home::Both(private.into()), None)
    }
}

/// Tables of the code's own for its unwinding.
pub(super) fn is_exception_table(name: &str) -> bool {
    name.starts_with(".gcc_except_table")
}

fn word_at(words: &[Word], offset: u64) -> Option<usize> {
    let at = words.partition_point(|&(start, _)| start <= offset).checked_sub(1)?;
    let (start, width) = words[at];
    (offset < start + width).then_some(at)
}

/// How many bytes `relocation` writes.
pub(super) fn width(object: &Object<'_>, relocation: &Relocation) -> u64 {
    match relocate::howto(object.arch, relocation.r_type(LE, false).0) {
        Some(Howto { operand: Operand::None, .. }) | None => 0,
        Some(Howto { field: Field::Word { bytes, .. }, .. }) => u64::from(bytes),
        Some(_) => 4,
    }
}

/// How a word of data depends on where this generation's code is.
fn dependence(
    object: &Object<'_>,
    ids: &[Option<SymbolId>],
    starts: &Starts,
    relocation: &Relocation,
) -> Dependence {
    let index = relocation.r_sym(LE, false) as usize;
    let symbol = &object.symbols[index];
    let Some(howto) = relocate::howto(object.arch, relocation.r_type(LE, false).0) else {
        return Dependence::Odd;
    };
    let relative = matches!(howto.field, Field::Word { relative: true, .. });
    match howto.operand {
        Operand::None | Operand::TableBase | Operand::Size => return Dependence::Free,
        Operand::Cell | Operand::CellOffset if ids[index].is_some() => return Dependence::Free,
        Operand::Address | Operand::Branch | Operand::AddressOffset | Operand::StubOffset => {}
        _ => return Dependence::Odd,
    }
    let Place::Section(section) = symbol.place else { return Dependence::Free };
    let addend = relocation.r_addend.get(LE) as u64;
    let offset = symbol.value.wrapping_add(addend);
    match object.sections[section].kind {
        Kind::Code => {}
        Kind::Constant | Kind::Init | Kind::Fini | Kind::Frames => {
            return Dependence::As { section, offset, relative };
        }
        _ => return Dependence::Free,
    }
    if ids[index].is_some() && symbol.kind != SymbolKind::Data {
        // To its stub, except into its middle.
        let stub = relative || addend == 0 || howto.operand == Operand::Branch;
        return if stub { Dependence::Free } else { Dependence::Address };
    }
    match (relative, leads_to_stub(object, ids, starts, index, section, offset)) {
        (true, _) => Dependence::Relative,
        (false, true) => Dependence::Free,
        (false, false) => Dependence::Address,
    }
}

/// Whether an address at `offset` of the code section `section`, by way of the local
/// symbol `symbol`, is that of a function, which has a stub.
pub(super) fn leads_to_stub(
    object: &Object<'_>,
    ids: &[Option<SymbolId>],
    starts: &Starts,
    symbol: usize,
    section: usize,
    offset: u64,
) -> bool {
    let symbol = &object.symbols[symbol];
    if symbol.kind == SymbolKind::IndirectFunction && offset == symbol.value {
        return true;
    }
    starts.at(section, offset).is_some_and(|function| {
        let named = &object.symbols[function];
        let bound = is_coroutine_part(named.name) || is_parallel_part(named.name);
        ids[function].is_some() || named.binding != Binding::Local || !bound
    })
}
