//! The sixth way, the usual one: compile the file, link the program, start it again.
//!
//! The first call is made where `main` would begin: a constructor that is linked in says so.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::tools::{Workshop, has_linker, in_parallel, run};
use super::{Contender, Edit, Level, Module, Phase, Program, Result, Split, Trouble, Way, call};

const PRICE: &str = "the program starts again, all state is lost";

/// With the linker that the compiler uses by itself.
pub const SYSTEM: Contender = Contender {
    name: "native",
    what: "compile the file, link with the system's linker, start the program again",
    price: PRICE,
    load: |program, level| Ok(Box::new(Native::load(program, level, None)?)),
    host: &[],
};

/// With LLVM's linker.
pub const LLD: Contender = Contender {
    name: "native-lld",
    what: "the same with lld",
    price: PRICE,
    load: |program, level| Ok(Box::new(Native::load(program, level, Some("lld"))?)),
    host: &[],
};

/// With mold.
pub const MOLD: Contender = Contender {
    name: "native-mold",
    what: "the same with mold",
    price: PRICE,
    load: |program, level| Ok(Box::new(Native::load(program, level, Some("mold"))?)),
    host: &[],
};

struct Native {
    workshop: Workshop,
    linker: Option<&'static str>,
    objects: Vec<PathBuf>,
    executable: PathBuf,
    running: Option<Child>,
}

impl Native {
    fn load(program: &Program, level: Level, linker: Option<&'static str>) -> Result<Self> {
        let workshop = Workshop::new(program, level)?;
        if let Some(linker) = linker
            && !has_linker(workshop.linker().get_program(), linker)
        {
            return Err(Trouble::NotInstalled(linker.to_owned()));
        }
        let objects: Vec<PathBuf> =
            (0..program.modules.len()).map(|number| workshop.path(format!("{number}.o"))).collect();
        in_parallel(objects.len(), |index| {
            compile(&workshop, &program.modules[index], index, &objects[index])
        })?;
        let source = workshop.path("ready.c");
        std::fs::write(&source, include_str!("native.c")).map_err(Trouble::failed)?;
        run(Command::new(&program.compilers.cc)
            .args(["-c", "-O2", "-fPIC", "-o"])
            .args([workshop.path("ready.o"), source]))?;
        let executable = workshop.path("program");
        let mut this = Self { workshop, linker, objects, executable, running: None };
        this.link("main")?;
        this.start(false)?;
        Ok(this)
    }

    fn link(&self, entry: &str) -> Result<()> {
        let mut command = self.workshop.linker();
        if let Some(linker) = self.linker {
            command.arg(format!("-fuse-ld={linker}"));
        }
        command.arg("-o").arg(&self.executable).args(&self.objects).arg(self.workshop.path("ready.o"));
        command.arg(format!("-Wl,--defsym=hotslot_compare_entry={entry}"));
        run(command.args(self.workshop.libraries()))
    }

    /// Starts the program and waits for its first call. Says what that returned.
    fn start(&mut self, call: bool) -> Result<i32> {
        let (mut reader, writer) = std::io::pipe().map_err(Trouble::failed)?;
        let child = Command::new(&self.executable)
            .env("HOTSLOT_COMPARE", if call { "call" } else { "look" })
            .stdin(writer)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| Trouble::failed(format!("the program does not start: {error}")))?;
        self.running = Some(child);
        let mut answer = [0; 4];
        reader
            .read_exact(&mut answer)
            .map_err(|_| Trouble::failed("the program ended before it came to its main"))?;
        Ok(i32::from_ne_bytes(answer))
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Way for Native {
    fn edit(&mut self, edit: &Edit) -> Result<Split> {
        let begun = Instant::now();
        let mut split = Split::default();
        let object = self.objects.get(edit.module).ok_or_else(|| Trouble::failed("no such module"))?;
        split.time(Phase::Compile, || compile(&self.workshop, &edit.to, edit.module, object))?;
        self.stop();
        split.time(Phase::Link, || self.link(&edit.entry))?;
        let answer = split.time(Phase::Publish, || self.start(edit.call))?;
        split.total = begun.elapsed();
        if edit.call {
            split.answer = Some(call::check(edit, answer)?);
        }
        Ok(split)
    }

    fn address(&self, _: &str) -> Result<Option<usize>> {
        Ok(None)
    }

    fn process(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    fn executable(&self) -> Option<&Path> {
        Some(&self.executable)
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.stop();
    }
}

fn compile(workshop: &Workshop, module: &Module, number: usize, object: &Path) -> Result<()> {
    run(workshop.compiler(module, number)?.args(["-c", "-o"]).arg(object))
}
