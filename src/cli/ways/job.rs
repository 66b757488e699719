//! What a process of its own measures: one way, on one program, with a list of edits.
//!
//! Each way has a process, so that no heap weighs on another and a crash is an outcome like any
//! other. The job comes as a directory of files, the outcome goes back as one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Contender, Edit, Level, Program, Result, Split, Trouble, Way, mappings, resident};

/// What is to be measured, for every way the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The program before its first edit.
    pub program: Program,
    /// Its edits, in order.
    pub edits: Vec<Edit>,
    /// The level of optimisation.
    pub level: Level,
    /// When a way has taken that long with edits it makes no more of them.
    pub patience: Duration,
}

/// What was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Compiling and loading the whole program.
    pub load: Duration,
    /// One for each edit that was made.
    pub edits: Vec<Split>,
    /// After loading.
    pub before: Memory,
    /// After the last edit.
    pub after: Memory,
}

/// What a process had.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Resident bytes.
    pub resident: u64,
    /// The same, pages that are mapped in two places counted once.
    pub proportional: u64,
    /// Mappings.
    pub mappings: u64,
}

impl Memory {
    /// What a process has now, this one if there is no number.
    pub fn now(process: Option<u32>) -> Self {
        let (resident, proportional) = resident(process).unwrap_or_default();
        Self { resident, proportional, mappings: mappings(process).unwrap_or_default() }
    }
}

impl Job {
    /// Writes the job into a directory.
    pub fn write(&self, dir: &Path) -> Result<()> {
        for (index, module) in self.program.modules.iter().enumerate() {
            std::fs::write(module_file(dir, index), &module.bitcode).map_err(Trouble::failed)?;
        }
        for (index, edit) in self.edits.iter().enumerate() {
            std::fs::write(edit_file(dir, index), &edit.to.bitcode).map_err(Trouble::failed)?;
        }
        let text = serde_json::to_vec(self).map_err(Trouble::failed)?;
        std::fs::write(dir.join("job.json"), text).map_err(Trouble::failed)
    }

    /// Reads it again.
    pub fn read(dir: &Path) -> Result<Self> {
        let text = std::fs::read(dir.join("job.json")).map_err(Trouble::failed)?;
        let mut job: Self = serde_json::from_slice(&text).map_err(Trouble::failed)?;
        for (index, module) in job.program.modules.iter_mut().enumerate() {
            module.bitcode = std::fs::read(module_file(dir, index)).map_err(Trouble::failed)?.into();
        }
        for (index, edit) in job.edits.iter_mut().enumerate() {
            edit.to.bitcode = std::fs::read(edit_file(dir, index)).map_err(Trouble::failed)?.into();
        }
        Ok(job)
    }

    /// Measures one way, in this process. The way comes back as well: when it ends is not measured.
    pub fn measure(&self, contender: &Contender) -> Result<(Outcome, Box<dyn Way>)> {
        let begun = Instant::now();
        let mut way = (contender.load)(&self.program, self.level)?;
        let load = begun.elapsed();
        let before = Memory::now(way.process());
        let (begun, mut edits) = (Instant::now(), Vec::new());
        for edit in &self.edits {
            edits.push(way.edit(edit)?);
            // People do not edit faster than that, and it is not to be in the next edit's time.
            way.settle();
            if begun.elapsed() > self.patience {
                break;
            }
        }
        let after = Memory::now(way.process());
        Ok((Outcome { load, edits, before, after }, way))
    }
}

fn module_file(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("module-{index}.bc"))
}

fn edit_file(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("edit-{index}.bc"))
}
