//! Models of commit and reclaim: loom runs them through every interleaving of two or three
//! threads, with every value that the memory model lets a load return.
//!
//! The commit is the library's own code (`src/table/publish.rs`). Callers, signals and the
//! reclaimer are modelled in `world`. Each model is shown to fail for each bug it is there for.

mod commit;
mod reclaim;
mod seeded;
mod world;

#[path = "../../../src/table/publish.rs"]
#[allow(dead_code)] // Models of one part need no other.
mod publish;
