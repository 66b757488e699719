//! One function edited in each C file of Lua: from the save to new code, against clang's front
//! end alone, and against make and a restart.

use crate::edits::{self, Edit};
use crate::native::{self, Made};
use crate::quick;
use crate::report::Row;
use crate::rounds::{median, quantile};
use crate::tree::Tree;
use crate::watched::{Took, Watched};

/// What was measured of one file, round by round, in milliseconds.
#[derive(Default)]
struct File {
    took: Vec<Took>,
    check: Vec<f64>,
    emit: Vec<f64>,
    made: Vec<f64>,
    building: Vec<f64>,
}

impl File {
    fn of(&self, part: fn(&Took) -> f64) -> f64 {
        median(&self.took.iter().map(part).collect::<Vec<_>>())
    }
}

/// Against the front end.
pub fn figure() -> Vec<Row> {
    let (files, names) = measure(|tree, edit, _, file| {
        let path = tree.path().join(edit.file);
        file.check.push(native::front_end(tree, &path, native::CHECK));
        file.emit.push(native::front_end(tree, &path, native::EMIT));
    });
    let all = |of: &dyn Fn(&File) -> f64| files.iter().map(of).collect::<Vec<f64>>();
    let live = all(&|file| file.of(|took| took.live));
    let check = all(&|file| median(&file.check));
    let ratios = |to: &dyn Fn(&File) -> f64| all(&|file| to(file) / median(&file.check));
    let to_live = ratios(&|file| file.of(|took| took.live));
    let to_answer = ratios(&|file| file.of(|took| took.answer));
    let to_emit = all(&|file| file.of(|took| took.live) / median(&file.emit));
    let (ratio, answer, emit) = (median(&to_live), median(&to_answer), median(&to_emit));
    let worst = (0..to_live.len()).max_by(|&a, &b| to_live[a].total_cmp(&to_live[b])).unwrap_or(0);
    let part = |part: fn(&Took) -> f64| median(&all(&|file| file.of(part)));
    let figure = format!(
        "Lua, one function edited, {} of {} files: save to new code live, against clang -fsyntax-only",
        files.len(),
        edits::functions().len() + edits::WITHOUT
    );
    let words = format!("{:.1} ms against {:.1} ms: {ratio:.2}x", median(&live), median(&check));
    let row = Row::reported(figure, words)
        .target("<= 1.3x", ratio <= 1.3)
        .number("live_ms", median(&live))
        .number("check_ms", median(&check))
        .number("ratio", ratio)
        .number("ratio_to_emit", emit)
        .number("files", files.len() as f64);
    let row = names.iter().zip(&to_live).fold(row, |row, (name, ratio)| row.number(*name, *ratio));
    vec![
        row,
        Row::reported("... to the program's first answer by new code", format!("{answer:.2}x"))
            .number("ratio", answer),
        Row::reported("... against the front end with code, no passes", format!("{emit:.2}x"))
            .number("ratio", emit),
        Row::reported(
            "... by file: tenth and ninetieth hundredth, largest",
            format!(
                "{:.2}x, {:.2}x, {:.2}x ({})",
                quantile(&to_live, 0.1),
                quantile(&to_live, 0.9),
                to_live[worst],
                names[worst]
            ),
        ),
        Row::reported(
            "... where it goes, by the event",
            format!(
                "front end {:.1} ms, code {:.1} ms, link {:.2} ms, publish {:.2} ms, the rest {:.1} ms",
                part(|t| t.front_end),
                part(|t| t.code),
                part(|t| t.link),
                part(|t| t.publish),
                part(|t| t.live - t.front_end - t.code - t.link - t.publish),
            ),
        )
        .number("front_end_ms", part(|t| t.front_end))
        .number("code_ms", part(|t| t.code))
        .number("link_ms", part(|t| t.link))
        .number("publish_ms", part(|t| t.publish)),
    ]
}

/// Against make.
pub fn make_figure() -> Vec<Row> {
    let mut made = Made::new();
    let (files, _) = measure(|_, edit, original, file| {
        let (answer, building) = made.edit(edit, original);
        file.made.push(answer);
        file.building.push(building);
    });
    let all = |of: &dyn Fn(&File) -> f64| files.iter().map(of).collect::<Vec<f64>>();
    let hotslot = median(&all(&|file| file.of(|took| took.answer)));
    let native = median(&all(&|file| median(&file.made)));
    let building = median(&all(&|file| median(&file.building)));
    let ratios = all(&|file| median(&file.made) / file.of(|took| took.answer));
    let ratio = median(&ratios);
    let figure = "Lua, one function edited: save to first new answer, against make -O2 and restart";
    let words = format!("{hotslot:.1} ms against {native:.1} ms, of which make {building:.1}: {ratio:.1}x");
    let row = Row::reported(figure, words)
        .target("hotslot >= 5x faster", ratio >= 5.0)
        .number("answer_ms", hotslot)
        .number("native_ms", native)
        .number("make_ms", building)
        .number("ratio", ratio);
    let ends = format!("{:.1}x, {:.1}x", quantile(&ratios, 0.1), quantile(&ratios, 0.9));
    vec![row, Row::reported("... by file: tenth and ninetieth hundredth", ends)]
}

/// Edits every file once a round, with the other side next to each edit: before it in one round,
/// after it in the next. The first round is not kept.
fn measure(mut other: impl FnMut(&Tree, &Edit, &str, &mut File)) -> (Vec<File>, Vec<&'static str>) {
    let tree = Tree::new();
    let mut edits = edits::functions();
    let rounds = if quick() { 2 } else { 5 };
    if quick() {
        edits = edits.into_iter().step_by(4).collect();
    }
    let originals: Vec<String> = edits.iter().map(|edit| tree.read(edit.file)).collect();
    let mut watched = Watched::lua(&tree, &[]);
    let mut files: Vec<File> = edits.iter().map(|_| File::default()).collect();
    for round in 0..=rounds {
        for ((edit, original), kept) in edits.iter().zip(&originals).zip(&mut files) {
            let mut first = File::default();
            let file = if round == 0 { &mut first } else { kept };
            if round % 2 == 1 {
                other(&tree, edit, original, file);
            }
            file.took.push(watched.edit(&tree, edit, original));
            if round % 2 == 0 {
                other(&tree, edit, original, file);
            }
        }
    }
    (files, edits.iter().map(|edit| edit.file).collect())
}
