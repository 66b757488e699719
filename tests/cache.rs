//! The cache on disk: what a runtime finds in it, and several processes that use one folder
//! and are killed.
#![allow(unsafe_code)] // handles to generated code are made with a promise

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use hotslot::{Builder, Cache, CacheKey, CallForm, ErrorKind, ModuleReport, OptLevel, Runtime, Source};

/// A folder for a cache, gone at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("cache-{}-{number}", std::process::id());
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn answering(number: i32) -> Source {
    Source::ir(format!("define i32 @answer() {{ ret i32 {number} }}"))
}

/// Loads `source` in a runtime of its own; what it says then, and its answer.
fn load(builder: &Builder, source: Source) -> (ModuleReport, i32) {
    let runtime = builder.clone().build().unwrap();
    let report = runtime.load("m", source).unwrap();
    // SAFETY: of this type in every source here.
    let answer = unsafe { runtime.function::<extern "C" fn() -> i32>("answer") }.unwrap();
    (report.module("m").unwrap().clone(), answer.call())
}

fn is_cached(builder: &Builder, source: Source) -> bool {
    load(builder, source).0.cached
}

fn with(folder: &Folder) -> Builder {
    Runtime::builder().cache(Cache::at(&folder.0))
}

#[test]
fn a_module_is_compiled_once() {
    let folder = Folder::new();
    let (first, answer) = load(&with(&folder), answering(7));
    assert_eq!((first.cached, answer), (false, 7));
    let (mut again, answer) = load(&with(&folder), answering(7));
    assert_eq!((again.cached, answer), (true, 7));
    // It is the same module in every other respect.
    again.cached = false;
    assert_eq!(format!("{again:?}"), format!("{first:?}"));
    // Whether it is trusted makes no difference to its code.
    assert!(is_cached(&with(&folder), answering(7).trusted()));
    let runtime = with(&folder).build().unwrap();
    assert_eq!(runtime.load("m", answering(7)).unwrap().times.codegen, Duration::ZERO);
    // A patch is another thing than the whole. The optimiser comes between, or does not: it must be done.
    for (number, cached) in [(8, false), (7, false), (8, true), (7, true)] {
        assert_eq!(runtime.replace("m", answering(number)).unwrap().modules[0].cached, cached, "{number}");
        runtime.settle();
    }
}

#[test]
fn without_a_cache_nothing_is_kept() {
    let builder = Runtime::builder();
    load(&builder, answering(1));
    assert!(!is_cached(&builder, answering(1)));
}

#[test]
fn other_settings_are_other_code() {
    let folder = Folder::new();
    assert!(!is_cached(&with(&folder), answering(7)));
    for other in [
        with(&folder).opt_level(OptLevel::O0),
        with(&folder).call_form(CallForm::Stub),
        with(&folder).cpu("x86-64"),
        with(&folder).cpu("x86-64-v2"),
    ] {
        assert!(!is_cached(&other, answering(7)), "{other:?}");
        assert!(is_cached(&other, answering(7)), "{other:?}");
    }
    assert!(is_cached(&with(&folder), answering(7)));
}

#[test]
fn an_error_is_not_kept() {
    let folder = Folder::new();
    let runtime = with(&folder).build().unwrap();
    for _ in 0..2 {
        let error = runtime.load("m", Source::ir("define i32 @answer() { ret }")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parse);
    }
    assert_eq!(Cache::at(&folder.0).info().entries, 0);
}

#[test]
fn what_is_in_the_cache_is_not_believed() {
    let folder = Folder::new();
    load(&with(&folder), answering(7));
    let shard =
        std::fs::read_dir(&folder.0).unwrap().map(Result::unwrap).find(|e| e.path().is_dir()).unwrap();
    let entry = std::fs::read_dir(shard.path()).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&entry).unwrap();
    let mut random = Rng::with_seed(1);
    for _ in 0..20 {
        let mut bytes = whole.clone();
        bytes[random.usize(..whole.len())] ^= 1 << random.u8(..8);
        std::fs::write(&entry, &bytes).unwrap();
        assert_eq!(load(&with(&folder), answering(7)).1, 7);
        assert!(is_cached(&with(&folder), answering(7)), "it was made anew");
    }
}

#[test]
fn assembly_that_reads_files_is_assembled_each_time() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("data");
    let builder = Runtime::builder().cache(Cache::at(folder.0.join("cache")));
    let path = file.display();
    let in_module = format!(
        "module asm \".section .rodata\\0A data: .incbin \\22{path}\\22\\0A.text\"
         @data = external hidden global i8
         define i32 @answer() {{ %d = load i8, ptr @data %r = zext i8 %d to i32 ret i32 %r }}"
    );
    let in_function = format!(
        "define i32 @answer() {{
           %r = call i32 asm \"movzbl 1f(%rip), $0\\0A jmp 2f\\0A1: .incbin \\22{path}\\22\\0A2:\", \"=r\"()
           ret i32 %r }}"
    );
    for text in [in_module, in_function] {
        for content in [5, 6] {
            std::fs::write(&file, [content]).unwrap();
            let (report, answer) = load(&builder, Source::ir(text.as_str()));
            assert_eq!((report.cached, answer), (false, content.into()), "{text}");
        }
    }
}

/// The bound of the test below: some hundred of the entries.
const LIMIT: u64 = 1 << 20;
const KEYS: u64 = 400;

fn key(number: u64) -> CacheKey {
    CacheKey::builder("test").number(number).key()
}

/// Content that tells of which key it is.
fn content(number: u64, seed: u64) -> Vec<u8> {
    let mut random = Rng::with_seed(seed);
    let mut bytes = vec![0; random.usize(0..20_000)];
    random.fill(&mut bytes);
    bytes.extend(number.to_le_bytes());
    bytes
}

fn is_of(number: u64, content: &[u8]) -> bool {
    content.ends_with(&number.to_le_bytes())
}

/// Not a test: what the processes of the next one do until they are killed.
#[test]
#[ignore = "run by the test below"]
fn worker() {
    let Some(folder) = std::env::var_os("HOTSLOT_TEST_FOLDER") else { return };
    let mut random = Rng::new();
    loop {
        let cache = Cache::at(&folder).limit(LIMIT);
        for _ in 0..20 {
            let number = random.u64(..KEYS);
            match cache.get(&key(number)) {
                Some(found) if !is_of(number, &found) => std::process::exit(3),
                Some(_) => {}
                None => cache.put(&key(number), "test", &content(number, random.u64(..))),
            }
        }
    }
}

/// A process that does not outlive its test, however that ends.
struct Worker(Child);

impl Worker {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path) -> Worker {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "worker", "--ignored"]).env("HOTSLOT_TEST_FOLDER", folder);
    Worker(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn processes_that_share_a_folder_may_be_killed() {
    let folder = Folder::new();
    let cache = Cache::at(&folder.0).limit(LIMIT);
    let mut random = Rng::new();
    let mut workers: Vec<Worker> = (0..3).map(|_| start(&folder.0)).collect();
    let mut left = 0;
    let temporaries = || {
        let names = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().starts_with("tmp-")).count()
    };
    for _ in 0..60 {
        std::thread::sleep(Duration::from_micros(random.u64(10_000..120_000)));
        let at = random.usize(..workers.len());
        assert_eq!(workers[at].0.try_wait().unwrap(), None, "it found what was never stored");
        workers[at].kill();
        if folder.0.exists() {
            left = left.max(temporaries());
            let bytes = cache.info().bytes;
            // One who makes room may be interrupted while others store, or be killed at it.
            assert!(bytes <= LIMIT * 2, "{bytes}");
        }
        workers[at] = start(&folder.0);
    }
    // On a busy machine most were killed before they had stored anything.
    let deadline = Instant::now() + Duration::from_secs(60);
    while cache.info().bytes < LIMIT / 2 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(workers);
    cache.trim();
    assert_eq!(temporaries(), 0, "{left} at most before");
    let info = cache.info();
    assert!(info.bytes <= LIMIT && info.entries > 20, "{info:?}");
    let found = (0..KEYS).filter_map(|number| Some((number, cache.get(&key(number))?)));
    let found: Vec<_> = found.map(|(number, content)| assert!(is_of(number, &content))).collect();
    assert_eq!(found.len() as u64, info.entries, "what is there can be read");
}
