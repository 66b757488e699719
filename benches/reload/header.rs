//! An edit of `luaconf.h`, which every file of Lua includes, against the front end's time for all
//! of them on the cores there are.

use crate::edits::{self, Edit};
use crate::native;
use crate::quick;
use crate::report::Row;
use crate::rounds::median;
use crate::tree::Tree;
use crate::watched::{Took, Watched};

/// The rows of the table.
pub fn figure() -> Vec<Row> {
    let tree = Tree::new();
    let mut watched = Watched::lua(&tree, &[]);
    let rows = [
        ("a macro that three functions use", edits::few_users()),
        ("a macro that hundreds of functions use", edits::many_users()),
    ];
    rows.map(|(what, edit)| row(&tree, &mut watched, what, &edit)).into()
}

fn row(tree: &Tree, watched: &mut Watched, what: &str, edit: &Edit) -> Row {
    let original = tree.read(edit.file);
    let (mut took, mut check, mut emit) = (Vec::<Took>::new(), Vec::new(), Vec::new());
    let rounds = if quick() { 2 } else { 7 };
    for round in 0..=rounds {
        let edited = watched.edit(tree, edit, &original);
        let (checked, emitted) =
            (native::front_end_of_all(tree, native::CHECK), native::front_end_of_all(tree, native::EMIT));
        // The first one warms up.
        if round > 0 {
            took.push(edited);
            check.push(checked);
            emit.push(emitted);
        }
    }
    let part = |part: fn(&Took) -> f64| median(&took.iter().map(part).collect::<Vec<_>>());
    let (live, answer, check, emit) = (part(|t| t.live), part(|t| t.answer), median(&check), median(&emit));
    let ratio = live / check;
    let figure = format!(
        "Lua, luaconf.h edited, {what}: save to all 33 files live, against clang -fsyntax-only of \
         all on {} cores",
        native::processors()
    );
    let words = format!(
        "{live:.0} ms against {check:.0} ms: {ratio:.2}x; first answer {answer:.0} ms; front end {:.0} ms, \
         code {:.0} ms",
        part(|t| t.front_end),
        part(|t| t.code)
    );
    Row::reported(figure, words)
        .target("<= 1.3x", ratio <= 1.3)
        .number("live_ms", live)
        .number("answer_ms", answer)
        .number("check_ms", check)
        .number("emit_ms", emit)
        .number("ratio", ratio)
        .number("front_end_ms", part(|t| t.front_end))
        .number("code_ms", part(|t| t.code))
}
