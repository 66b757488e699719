//! A library whose constructor uses the runtime, while another thread links.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotslot::{Runtime, Source};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Wants a name that only the dynamic linker can say nothing about.
fn wanting(name: &str) -> Source {
    let text = format!(
        "declare i32 @{name}_nowhere()\n define i32 @{name}() {{ %r = call i32 @{name}_nowhere()\n ret i32 %r }}"
    );
    Source::ir(text).trusted()
}

extern "C" fn construct() {
    let rt = RUNTIME.get().unwrap();
    rt.load("constructed", wanting("constructed")).unwrap();
    rt.remove("constructed").unwrap();
}

#[test]
fn a_constructor_uses_the_runtime_while_another_thread_links() {
    let rt = RUNTIME.get_or_init(|| Runtime::builder().arena_size(64 << 20).history(0).build().unwrap());
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("opening-{}", std::process::id()));
    let source = base.with_extension("c");
    let address = construct as extern "C" fn() as usize;
    let text =
        format!("__attribute__((constructor)) static void go(void) {{ ((void (*)(void)){address}ul)(); }}");
    std::fs::write(&source, text).unwrap();
    let libraries: Vec<PathBuf> = (0..20).map(|n| base.with_extension(format!("{n}.so"))).collect();
    for library in &libraries {
        let mut clang = Command::new("clang-19");
        assert!(clang.args(["-shared", "-fPIC", "-o"]).arg(library).arg(&source).status().unwrap().success());
    }
    rt.load("again", wanting("again")).unwrap();
    let (object, stop) = (rt.compile(&wanting("again")).unwrap(), AtomicBool::new(false));
    let late = Instant::now() + Duration::from_secs(300);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                rt.replace("again", object.clone()).unwrap();
            }
        });
        let opening = scope.spawn(|| libraries.iter().for_each(|library| rt.open_library(library).unwrap()));
        while !opening.is_finished() {
            // To panic would be to wait for them.
            if Instant::now() > late {
                eprintln!("the two wait for each other");
                std::process::abort();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
    });
    for file in libraries.iter().chain([&source]) {
        std::fs::remove_file(file).unwrap();
    }
}
