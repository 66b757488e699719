//! Whole objects through the linker into an arena of aarch64, without running them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use object::{Object as _, ObjectSection as _, RelocationFlags, RelocationTarget};
use runtime_stubs::Arch;
use runtime_stubs::entry::TlsDescArgument;

use super::listing::{disassemble, reached};
use super::objects::compile;
use crate::error::Result;
use crate::link::{
    self, Binding, Constant, Image, Kept, Key, Object, Resolve, Storage, StorageKey, Stored, SymbolKind,
    ThreadLocals, Unit,
};
use crate::memory::{Arena, Space};
use crate::table::{Slots, SymbolId, Symbols, Target};

/// A table of symbols, and what each of them is.
struct World {
    arena: Arc<Arena>,
    symbols: Symbols,
    targets: HashMap<SymbolId, Target>,
}

impl World {
    fn new(size: usize) -> Self {
        let arena = Arena::new(Arch::Aarch64, size).expect("an arena");
        let symbols = Symbols::new(Slots::new(arena.clone()));
        let targets = HashMap::new();
        Self { arena, symbols, targets }
    }

    fn id(&self, name: &str) -> SymbolId {
        self.symbols.find(name).expect("a symbol of the object")
    }

    fn word(&self, address: u64) -> u64 {
        let bytes = self.arena.read(address, 8);
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }

    fn link(&mut self, data: &[u8]) -> Result<Image> {
        let object = Object::parse(data)?;
        let needs = link::survey(&object)?;
        let mut ids = Vec::new();
        for symbol in &object.symbols {
            let local = symbol.binding == Binding::Local || symbol.kind == SymbolKind::Section;
            let id = if local { None } else { Some(self.symbols.intern(symbol.name)?.0) };
            ids.push(id);
        }
        let fixed = !needs.static_tls.is_empty();
        let arena = self.arena.clone();
        let mut placement = link::place(object, 0, &needs, &ids, &arena, &Nothing, fixed)?;
        for definition in placement.definitions(&ids) {
            self.targets.insert(definition.id, definition.target);
        }
        let mut units = [Unit { placement: &mut placement, ids: &ids, name: "" }];
        let moves = link::intern(&mut units, &arena, self)?;
        for target in self.targets.values_mut() {
            *target = moves.settle(*target);
        }
        let layout = self.arena.table_layout();
        Ok(link::link(placement, &ids, &layout, self, false, None)?.image)
    }
}

impl Resolve for World {
    fn expose(&mut self, _: SymbolId) {}

    fn is_own(&self, _id: SymbolId) -> bool {
        false
    }

    fn foreign_thread_offset(&mut self, _id: SymbolId) -> Option<u64> {
        None
    }

    fn size(&mut self, _id: SymbolId) -> Option<u64> {
        None
    }

    fn target(&mut self, id: SymbolId) -> Option<Target> {
        self.targets.get(&id).copied()
    }

    fn local_function(&mut self, name: &str, _: u32, body: u64, _: bool) -> Result<SymbolId> {
        let (id, _) = self.symbols.intern(&format!("local {name}"))?;
        self.targets.insert(id, Target::Function(body));
        Ok(id)
    }

    fn foreign_thread_local(&mut self, _: SymbolId) -> Option<u64> {
        None
    }

    fn pair(&mut self, id: SymbolId) -> Result<u64> {
        let pair = self.symbols.pair(id)?;
        Ok(self.symbols.slots.pair(pair))
    }

    fn refer(&mut self, _: SymbolId, _: bool, _: bool) {}

    fn wait(&mut self, _: SymbolId, _: u64, _: u64, _: Option<Arc<dyn Send + Sync>>) {}

    fn constant(&self, _: Key) -> Option<Arc<Constant>> {
        None
    }
}

/// Nothing is kept from an earlier generation.
struct Nothing;

impl Kept for Nothing {
    fn storage(&self, _: &StorageKey) -> Option<Arc<Storage>> {
        None
    }

    fn earlier(&self) -> Option<&[Stored]> {
        None
    }

    fn common(&self, _: SymbolId) -> (u64, u64) {
        (0, 0)
    }

    fn thread_locals(&self) -> Option<&ThreadLocals> {
        None
    }
}

/// What the relocated instructions of `.text` reach: type, symbol, address, in order.
fn reach(world: &World, image: &Image, data: &[u8]) -> Vec<(&'static str, String, u64)> {
    let file = object::File::parse(data).expect("an ELF object");
    let section = file.section_by_name(".text").expect("code");
    let code = image.code.as_ref().expect("a block of code");
    let bytes = world.arena.read(code.address(), section.size() as usize);
    let lines = disassemble(&bytes);
    assert_eq!(lines.len(), bytes.len() / 4);
    let addresses = reached(&lines, code.address());
    let mut result = Vec::new();
    for (at, relocation) in section.relocations() {
        let (RelocationFlags::Elf { r_type }, RelocationTarget::Symbol(symbol)) =
            (relocation.flags(), relocation.target())
        else {
            panic!("not a relocation of ELF");
        };
        let symbol = object::Object::symbol_by_index(&file, symbol).expect("a symbol");
        let symbol = object::ObjectSymbol::name(&symbol).expect("a name").to_owned();
        let name = super::name(r_type.0).expect("a known type");
        if let Some(address) = addresses[at as usize / 4] {
            result.push((name.trim_start_matches("R_AARCH64_"), symbol, address));
        }
    }
    result
}

#[test]
fn references_go_through_the_table() {
    let source = "
        extern int far(int); extern int far_data; int own_data = 5; static int hidden = 6;
        static __attribute__((noinline)) int local(int x) { return x * 3 + hidden++; }
        __attribute__((noinline)) int own(int x) { return local(x) + far(x); }
        int (*address_of_far(void))(int) { return far; }
        int (*address_of_local(void))(int) { return local; }
        int call(int x) { far_data += own_data; return own(x) + far(x) + 1; }
    ";
    let data = compile("table", "c", source, &["-O2", "-fPIC"]);
    let mut world = World::new(64 << 20);
    let image = world.link(&data).expect("a linked object");
    let table = world.arena.table_layout();
    let stub_of_local = table.stub(world.id("local local").0);
    let (mut met, mut address_of_local) = (HashMap::new(), false);
    for (kind, symbol, address) in reach(&world, &image, &data) {
        *met.entry(kind).or_insert(0) += 1;
        let id = world.symbols.find(&symbol);
        let expected = match (kind, symbol.as_str()) {
            ("CALL26" | "JUMP26", "local") => {
                assert!(image.contains(address), "a local call goes to the body");
                continue;
            }
            ("CALL26" | "JUMP26", _) => table.stub(id.expect("global").0),
            ("ADR_GOT_PAGE", _) => table.addr_cell(id.expect("global").0) & !0xfff,
            ("LD64_GOT_LO12_NC", _) => table.addr_cell(id.expect("global").0),
            // Local things are reached through section symbols.
            ("ADD_ABS_LO12_NC", _) if address == stub_of_local => {
                address_of_local = true;
                continue;
            }
            ("ADR_PREL_PG_HI21", _) if address == stub_of_local & !0xfff => continue,
            _ => {
                let near = |storage: &Storage| address.wrapping_sub(storage.block.address() & !0xfff);
                let mut storages = image.storages.iter();
                assert!(storages.any(|stored| near(&stored.storage) < 0x2000), "{kind} {symbol}");
                continue;
            }
        };
        assert_eq!(address, expected, "{kind} {symbol}");
    }
    assert!(address_of_local, "a local function's address is its stub's");
    for kind in ["CALL26", "LD64_GOT_LO12_NC"] {
        assert!(met.contains_key(kind), "no {kind}: {met:?}");
    }
}

/// An object with `count` thread-local variables.
fn thread_locals(count: usize, flags: &[&str]) -> Vec<u8> {
    let mut source = String::new();
    for i in 0..count {
        let _ = write!(source, "_Thread_local long t{i}; long get{i}(void) {{ return t{i}; }}");
    }
    compile("thread", "c", &source, flags)
}

#[test]
fn descriptors_are_found_by_all_their_instructions() {
    // So many that their descriptors cross pages.
    let data = thread_locals(400, &["-O2", "-fPIC"]);
    let mut world = World::new(64 << 20);
    let image = world.link(&data).expect("a linked object");
    let mut checked = 0;
    for (kind, symbol, address) in reach(&world, &image, &data) {
        let descriptor = match kind {
            "TLSDESC_LD64_LO12" | "TLSDESC_ADD_LO12" => address,
            _ => continue,
        };
        let argument = world.word(descriptor + 8);
        let mut arguments = image.descriptors.iter().map(|boxed| &**boxed);
        let found = arguments.find(|&a| std::ptr::from_ref::<TlsDescArgument>(a) as u64 == argument);
        let key = found.unwrap_or_else(|| panic!("{kind} {symbol}: no descriptor")).key();
        let id = world.id(&symbol);
        let pair = world.symbols.pair(id).expect("a pair");
        assert_eq!(key, world.symbols.slots.pair(pair), "{kind} {symbol}");
        checked += 1;
    }
    assert_eq!(checked, 800);
    // One descriptor serves the instructions of one variable.
    assert_eq!(image.descriptors.len(), 400);
}

#[test]
fn initial_exec_cells_are_found_by_both_their_instructions() {
    let data = thread_locals(40, &["-O2", "-fPIC", "-ftls-model=initial-exec"]);
    let mut world = World::new(64 << 20);
    let image = world.link(&data).expect("a linked object");
    let mut checked = 0;
    for (kind, symbol, address) in reach(&world, &image, &data) {
        if kind != "TLSIE_LD64_GOTTPREL_LO12_NC" {
            continue;
        }
        let Some(Target::ThreadLocal(word)) = world.target(world.id(&symbol)) else {
            panic!("{symbol} is not thread-local");
        };
        let offset = crate::tls::thread_offset(word).expect("a fixed offset");
        assert_eq!(world.word(address), offset, "{symbol}");
        checked += 1;
    }
    assert_eq!(checked, 40);
}

#[test]
fn calls_reach_over_a_large_arena() {
    let source = "extern int far(int); int call(int x) { return far(x) + far(x + 1); } int tail(int x) { return far(x); }";
    let data = compile("large", "c", source, &["-O2", "-fPIC"]);
    let mut world = World::new(1 << 30);
    // The stubs are before the code: push it out of their reach.
    let gap = world.arena.allocate(Space::Code, 200 << 20, 16).expect("room");
    let image = world.link(&data).expect("a linked object");
    let stub = world.symbols.slots.stub(world.id("far").0);
    for (kind, _, address) in reach(&world, &image, &data) {
        assert!(needs_veneer_to(&image, stub), "{kind}: the stub is near");
        let veneer = disassemble(&world.arena.read(address, 12));
        let targets = reached(&veneer, address);
        assert_eq!(targets[1], Some(stub), "{kind}: {:?}", veneer[0].text);
        assert_eq!(veneer[2].text, "br\tx16");
    }
    // Returning it would write traps over all of it.
    std::mem::forget(gap);
}

fn needs_veneer_to(image: &Image, target: u64) -> bool {
    let code = image.code.as_ref().expect("a block of code");
    super::needs_veneer(target, code.address())
}
