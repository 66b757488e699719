//! The fourth way: each module is a shared library. The edited one is built again and opened
//! under a new name, because the loader opens no file twice.
//!
//! The library brings variables of its own, and nobody who is bound to the one before gets to
//! it: the host asks for the functions that it calls itself, again, with `dlsym`. Other modules
//! go on calling the code they were loaded with.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::dynamic::Open;
use super::tools::{Workshop, in_parallel, run};
use super::{Contender, Edit, Level, Module, Phase, Program, Result, Split, Way, call, codegen};

/// Shared libraries.
pub const CONTENDER: Contender = Contender {
    name: "dlopen",
    what: "a shared library a module; the edited one is compiled, linked and opened under a new name",
    price: "the module's state is lost, the host does dlsym again, other modules keep the old code",
    load: |program, level| Ok(Box::new(Libraries::load(program, level)?)),
    host: &[include_str!("libraries.rs"), include_str!("dynamic.rs"), include_str!("tools.rs")],
};

struct Libraries {
    workshop: Workshop,
    /// Needs all the program's first libraries.
    all: Open,
    all_path: PathBuf,
    /// The newest library of each module that was edited.
    newest: HashMap<usize, Open>,
    last: Option<usize>,
    builds: usize,
    /// Names that modules hide from other libraries have to be seen there now.
    hidden: bool,
}

impl Libraries {
    fn load(program: &Program, level: Level) -> Result<Self> {
        let workshop = Workshop::new(program, level)?;
        let hidden = program.modules.len() > 1 && program.modules.iter().any(codegen::hides);
        let paths: Vec<PathBuf> =
            (0..program.modules.len()).map(|number| workshop.path(format!("{number}.so"))).collect();
        in_parallel(paths.len(), |index| {
            let object = workshop.path(format!("{index}.o"));
            compile(&workshop, &program.modules[index], index, &object, hidden)?;
            link(&workshop, &object, &paths[index], None)
        })?;
        // Modules may need each other in a circle. A library that needs them all has the loader
        // bring all of them in before it binds any.
        let all_path = workshop.path("all.so");
        let mut command = workshop.linker();
        command.args(["-shared", "-Wl,--no-as-needed", "-o"]).arg(&all_path).args(&paths);
        run(command.args(workshop.libraries()))?;
        let all = Open::new(&all_path)?;
        let builds = paths.len();
        Ok(Self { workshop, all, all_path, newest: HashMap::new(), last: None, builds, hidden })
    }
}

impl Way for Libraries {
    fn edit(&mut self, edit: &Edit) -> Result<Split> {
        let begun = Instant::now();
        let mut split = Split::default();
        let number = self.builds;
        self.builds += 1;
        let path = self.workshop.path(format!("{number}.so"));
        let object = self.workshop.path(format!("{number}.o"));
        split.time(Phase::Compile, || compile(&self.workshop, &edit.to, number, &object, self.hidden))?;
        split.time(Phase::Link, || link(&self.workshop, &object, &path, Some(&self.all_path)))?;
        let library = split.time(Phase::Publish, || Open::new(&path))?;
        let address = split.time(Phase::Publish, || library.symbol(&edit.entry))?;
        split.answer = call::first(edit, address)?;
        split.total = begun.elapsed();
        // A careful host would keep it: whether somebody is inside it does not know.
        if let Some(old) = self.newest.insert(edit.module, library) {
            old.close();
        }
        self.last = Some(edit.module);
        for file in [path, object] {
            let _ = std::fs::remove_file(file);
        }
        Ok(split)
    }

    fn address(&self, symbol: &str) -> Result<Option<usize>> {
        let newest = self.last.and_then(|module| self.newest.get(&module));
        newest.unwrap_or(&self.all).symbol(symbol).map(Some)
    }
}

fn compile(workshop: &Workshop, module: &Module, number: usize, object: &Path, hidden: bool) -> Result<()> {
    let mut command = workshop.compiler(module, number)?;
    if hidden {
        // What a source hides with the usual attribute. Another way to hide fails.
        command.arg("-Dvisibility(kind)=");
    }
    run(command.args(["-c", "-o"]).arg(object))
}

fn link(workshop: &Workshop, object: &Path, path: &Path, needs: Option<&Path>) -> Result<()> {
    let mut command = workshop.linker();
    command.args(["-shared", "-o"]).arg(path).arg(object);
    if let Some(library) = needs {
        // So that it finds the program before what this process happens to have.
        command.arg("-Wl,--no-as-needed").arg(library);
    }
    run(&mut command)
}
