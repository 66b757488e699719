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

/// All files, by their place in the list of names.
#[derive(Default)]
struct Measured {
    names: Vec<&'static str>,
    /// The first edit of each file.
    first: Vec<File>,
    /// Those after it.
    further: Vec<File>,
}

/// Against the front end.
pub fn figure() -> Vec<Row> {
    let measured = measure(|tree, edit, _, file| {
        let path = tree.path().join(edit.file);
        file.check.push(native::front_end(tree, &path, native::CHECK));
        file.emit.push(native::front_end(tree, &path, native::EMIT));
    });
    let figure = format!(
        "Lua, one function edited, {} of {} files: save to new code live, against clang -fsyntax-only",
        measured.names.len(),
        edits::functions().len() + edits::WITHOUT
    );
    let mut rows = against_front_end(figure, &measured.names, &measured.further);
    let first = "the same, the first edit of each file".to_owned();
    rows.extend(against_front_end(first, &measured.names, &measured.first).into_iter().take(2));
    rows
}

fn against_front_end(figure: String, names: &[&'static str], files: &[File]) -> Vec<Row> {
    let all = |of: &dyn Fn(&File) -> f64| files.iter().map(of).collect::<Vec<f64>>();
    let live = median(&all(&|file| file.of(|took| took.live)));
    let check = median(&all(&|file| median(&file.check)));
    let to_live = all(&|file| file.of(|took| took.live) / median(&file.check));
    let answer = median(&all(&|file| file.of(|took| took.answer) / median(&file.check)));
    let emit = median(&all(&|file| file.of(|took| took.live) / median(&file.emit)));
    let ratio = median(&to_live);
    let worst = (0..to_live.len()).max_by(|&a, &b| to_live[a].total_cmp(&to_live[b])).unwrap_or(0);
    let row = Row::reported(figure, format!("{live:.1} ms against {check:.1} ms: {ratio:.2}x"))
        .target("<= 1.3x", ratio <= 1.3)
        .number("live_ms", live)
        .number("check_ms", check)
        .number("ratio", ratio);
    let row = names.iter().zip(&to_live).fold(row, |row, (name, ratio)| row.number(*name, *ratio));
    let words = format!("{answer:.2}x; live against the front end with LLVM's code, no passes: {emit:.2}x");
    let (low, high) = (quantile(&to_live, 0.1), quantile(&to_live, 0.9));
    let spread = format!("{low:.2}x, {high:.2}x, {:.2}x ({})", to_live[worst], names[worst]);
    vec![
        row,
        Row::reported("... to the program's first answer by new code", words)
            .number("ratio", answer)
            .number("ratio_to_emit", emit),
        Row::reported("... by file: first and last tenth, largest", spread),
        parts(files),
    ]
}

fn parts(files: &[File]) -> Row {
    let part = |part: fn(&Took) -> f64| median(&files.iter().map(|file| file.of(part)).collect::<Vec<_>>());
    let (front_end, code, link) = (part(|t| t.front_end), part(|t| t.code), part(|t| t.link));
    let rest = part(|t| t.live - t.front_end - t.code - t.link - t.publish);
    let words = format!(
        "front end {front_end:.1} ms, code {code:.1} ms, link {link:.2} ms, publish {:.2} ms, the rest \
         {rest:.1} ms",
        part(|t| t.publish),
    );
    Row::reported("... where it goes, by the event", words)
        .number("front_end_ms", front_end)
        .number("code_ms", code)
        .number("link_ms", link)
        .number("rest_ms", rest)
}

/// Against make.
pub fn make_figure() -> Vec<Row> {
    let mut made = Made::new();
    let Measured { further: files, .. } = measure(|_, edit, original, file| {
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

/// Edits each file some times, with the other side next to each edit: before it in one round,
/// after it in the next. After each edit there is a pause, in which hotslot prepares for the next
/// one of that file. The first edit of a file finds nothing prepared; it is kept apart.
fn measure(mut other: impl FnMut(&Tree, &Edit, &str, &mut File)) -> Measured {
    let tree = Tree::new();
    let mut edits = edits::functions();
    let rounds = if quick() { 2 } else { 5 };
    if quick() {
        edits = edits.into_iter().step_by(4).collect();
    }
    let mut watched = Watched::lua(&tree, &[]);
    let mut measured = Measured::default();
    for edit in &edits {
        let original = tree.read(edit.file);
        let (mut first, mut further) = (File::default(), File::default());
        for round in 0..=rounds {
            let file = if round == 0 { &mut first } else { &mut further };
            if round % 2 == 1 {
                other(&tree, edit, &original, file);
            }
            file.took.push(watched.edit(&tree, edit, &original));
            if round % 2 == 0 {
                other(&tree, edit, &original, file);
            }
        }
        measured.first.push(first);
        measured.further.push(further);
        measured.names.push(edit.file);
    }
    measured
}
