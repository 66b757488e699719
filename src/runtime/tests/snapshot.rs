//! Everything that a runtime knows, as text that can be compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Runtime;
use super::super::generation::{Generation, Layer};
use super::super::state::State;
use crate::link::{Image, Storage};
use crate::memory::{Arena, Block};
use crate::table::{SymbolId, Target};

/// Names of things and what they are like.
pub(super) type Snapshot = BTreeMap<String, String>;

/// What is known, and what is in memory.
pub(super) fn of(rt: &Runtime) -> Snapshot {
    let (state, arena) = (rt.inner.state.lock(), &*rt.inner.arena);
    let mut all = Snapshot::new();
    let mut note = |name: &str, what: String| all.insert(name.to_owned(), what);
    note("arena", format!("{:?}", arena.usage()));
    note("symbols", format!("{}", state.symbols.slots.len()));
    note("order", format!("{} {:?}", state.order, state.epoch));
    note("totals", format!("{:?}", state.totals));
    note("latest", format!("{:?}", state.latest));
    note("look", format!("{} {}", state.look_at, state.look_at_count));
    note("vacant", format!("{:?}", state.free_module_ids(8).take(8).collect::<Vec<_>>()));
    note("groups", format!("{:?}", state.groups.iter().collect::<BTreeMap<_, _>>()));
    note("gates", format!("{:?}", state.gates.iter().map(|gates| gates.code_range()).collect::<Vec<_>>()));
    note("constants", format!("{:?}", state.constants.extent()));
    let shared: BTreeMap<SymbolId, String> =
        state.shared.iter().map(|(&id, (s, count))| (id, format!("{} × {count}", storage(s)))).collect();
    note("shared", format!("{shared:?}"));
    for (id, module) in state.modules.iter().enumerate() {
        let Some(module) = module else { continue };
        let name = format!("module {id}");
        let found = state.module_id(&module.name) == Some(id as u32);
        note(&name, format!("{} newest {} found {found}", module.name, module.newest));
        note(&format!("{name} live"), generation(&module.current));
        for (at, past) in module.past.iter().enumerate() {
            let text = format!("{} provided {:?}", generation(&past.generation), past.providers);
            note(&format!("{name} past {at}"), text);
        }
    }
    for (at, retired) in state.retired.iter().enumerate() {
        note(&format!("retired {at}"), format!("{} {}", retired.module, layer(&retired.layer)));
    }
    for (id, _) in state.symbols.iter() {
        let (record, cells) = symbol(&state, arena, id);
        note(&format!("symbol {}", id.0), record);
        note(&format!("cells {}", id.0), cells);
    }
    all
}

/// What of `after` is not as in `before`, one line each.
pub(super) fn differences(before: &Snapshot, after: &Snapshot) -> String {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ.map(|name| format!("{name}:\n  {:?}\n  {:?}\n", before.get(name), after.get(name))).collect()
}

/// A symbol's record and its cells. That it has a pair is not part of it: a pair, once made,
/// stays for the next who asks, and other updates that are prepared may use it already.
fn symbol(state: &State, arena: &Arena, id: SymbolId) -> (String, String) {
    let (symbol, slots) = (state.symbols.get(id), &state.symbols.slots);
    let rare = symbol.rare();
    let pending: Vec<_> = rare.into_iter().flat_map(|rare| &rare.pending).collect();
    let pending: Vec<_> =
        pending.iter().map(|p| (p.address, p.addend, p.within.strong_count() > 0)).collect();
    let missing = rare.and_then(|rare| rare.missing.as_ref()).map(Block::address);
    let last_owner = rare.and_then(|rare| rare.last_owner.as_ref());
    let record = format!(
        "{:?} found {} providers {:?} wanted by {:?} pinned {} holds {} waiting {pending:?} \
         missing {missing:x?} last {last_owner:?}",
        symbol.name,
        state.symbols.find(&symbol.name) == Some(id),
        symbol.providers,
        symbol.wanted_by,
        symbol.pinned,
        symbol.holds,
    );
    let word = |address| arena.load(address);
    let pair = rare.and_then(|rare| rare.pair).map_or(0, |pair| word(slots.pair(pair)));
    let cells = format!(
        "call {:x} address {:x} pair {pair:x} stub {:x?}",
        slots.call(id.0),
        word(slots.address_cell(id.0)),
        arena.read(slots.stub(id.0), runtime_stubs::STUB_SIZE),
    );
    (record, cells)
}

fn generation(it: &Generation) -> String {
    let Generation { number, source, layers, defined, wanted, report, .. } = it;
    let layers: Vec<_> = layers.iter().map(|it| format!("{} {}", Arc::strong_count(it), layer(it))).collect();
    format!("{number} {source:?} {layers:?} {defined:?} {wanted:?} {report:?}")
}

fn layer(it: &Layer) -> String {
    let Layer { life, image, defined, wanted, exposed, order, led } = it;
    let life = Arc::weak_count(life);
    format!("life {life} {} {defined:?} {wanted:?} {exposed:?} {led:?} {order}", memory(image))
}

/// An image's memory with its bytes; variables with the number of those who hold them.
fn memory(image: &Image) -> String {
    let blocks: Vec<_> = [&image.code, &image.constants].into_iter().flatten().map(block).collect();
    let variables: Vec<_> =
        image.storages.iter().map(|s| format!("{:?} {}", s.key, storage(&s.storage))).collect();
    let locals: Vec<_> =
        image.thread_local_blocks().map(|block| (block.word(0), Arc::strong_count(block))).collect();
    format!("{blocks:?} {variables:?} {locals:?} {:?}", image.frames)
}

fn storage(storage: &Arc<Storage>) -> String {
    format!("{} {:?} held {}", block(&storage.block), storage.shape, Arc::strong_count(storage))
}

fn block(block: &Block) -> String {
    use std::hash::BuildHasher;
    let content = foldhash::fast::FixedState::with_seed(0).hash_one(block.bytes());
    format!("{:x}+{:x} {content:x}", block.address(), block.len())
}

/// Where `name` leads at the moment: the address that its winner has.
pub(super) fn winner(rt: &Runtime, name: &str) -> Option<u64> {
    let state = rt.inner.state.lock();
    let target = state.symbols.get(state.find(name).ok()?).winner()?.target;
    match target {
        Target::Function(at) | Target::Data(at) => Some(at),
        _ => None,
    }
}
