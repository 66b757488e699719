//! What a runtime holds, as JSON.
//!
//! Owns the names in it, as `reports.rs` does for what updates did.

use serde_json::{Value, json};

use super::reports;
use crate::runtime::{Generation, Holder, Origin, Pending, Reclaimed, Stats, Symbol, SymbolKind, Totals};

/// Names of modules and the generations that are live, in order of names.
pub fn modules(mut modules: Vec<(String, u64)>) -> Value {
    modules.sort();
    let each =
        modules.into_iter().map(|(name, generation)| json!({ "name": name, "generation": generation }));
    each.collect()
}

/// A name that modules may refer to.
pub fn symbol(symbol: &Symbol) -> Value {
    let Symbol { name, kind, origin, signature, size } = symbol;
    let (origin, module, generation) = match origin {
        Origin::Module { name, generation } => ("module", Some(name), Some(generation)),
        Origin::Host => ("host", None, None),
        Origin::Builtin => ("builtin", None, None),
        Origin::Library => ("library", None, None),
    };
    json!({
        "name": name,
        "kind": match kind {
            SymbolKind::Function => "function",
            SymbolKind::Variable => "variable",
            SymbolKind::ThreadLocal => "thread_local",
        },
        "origin": origin,
        "module": module,
        "generation": generation,
        "signature": signature,
        "size": size,
    })
}

/// The generations of a module.
pub fn history(generations: &[Generation]) -> Value {
    let each = generations.iter().map(|generation| {
        let Generation { number, live, source_hash, bytes, report } = generation;
        json!({
            "number": number,
            "live": live,
            // A number of JSON has 53 bits for many readers.
            "source_hash": format!("{source_hash:016x}"),
            "bytes": bytes,
            "report": reports::module(report),
        })
    });
    each.collect()
}

/// What there is, and what was done.
pub fn stats(stats: Stats, totals: Totals) -> Value {
    let Stats {
        modules,
        lazy_functions,
        symbols,
        code_bytes,
        constant_bytes,
        variable_bytes,
        past,
        retired,
        retired_bytes,
    } = stats;
    let Totals { commits, upgrades, reclaimed, reclaimed_bytes } = totals;
    json!({
        "modules": modules,
        "lazy_functions": lazy_functions,
        "symbols": symbols,
        "code_bytes": code_bytes,
        "constant_bytes": constant_bytes,
        "variable_bytes": variable_bytes,
        "past": past,
        "retired": retired,
        "retired_bytes": retired_bytes,
        "totals": {
            "commits": commits,
            "upgrades": upgrades,
            "reclaimed": reclaimed,
            "reclaimed_bytes": reclaimed_bytes,
        },
    })
}

/// What was freed.
pub fn reclaimed(reclaimed: Reclaimed) -> Value {
    let Reclaimed { generations, bytes, pending_bytes } = reclaimed;
    json!({ "generations": generations, "bytes": bytes, "pending_bytes": pending_bytes })
}

/// What was not, and why.
pub fn pending(pending: &[Pending]) -> Value {
    let each = pending.iter().map(|pending| {
        let Pending { module, generation, bytes, holders, kept_because } = pending;
        json!({
            "module": module,
            "generation": generation,
            "bytes": bytes,
            "holders": holders.iter().map(holder).collect::<Vec<_>>(),
            "kept_because": kept_because,
        })
    });
    each.collect()
}

fn holder(holder: &Holder) -> Value {
    let Holder { thread, name, function, offset } = holder;
    json!({ "thread": thread, "name": name, "function": function, "offset": offset })
}
