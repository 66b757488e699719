//! What the figures were measured on, without names.

use std::process::Command;

/// Processor, kernel and compilers in one line.
pub fn describe() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let mut llvm = (0, 0, 0);
    // SAFETY: writes three integers.
    unsafe { inkwell::llvm_sys::core::LLVMGetVersion(&mut llvm.0, &mut llvm.1, &mut llvm.2) };
    format!(
        "{}, {processors} processors; Linux {}; {}; LLVM {}.{}.{}; {}",
        processor(),
        first_line("/proc/sys/kernel/osrelease"),
        output("rustc", "--version"),
        llvm.0,
        llvm.1,
        llvm.2,
        output("clang-19", "--version"),
    )
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split(':').nth(1))
        .map_or_else(|| std::env::consts::ARCH.into(), |name| name.trim().into())
}

fn first_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}

fn output(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map_or_else(|_| String::new(), |o| String::from_utf8_lossy(&o.stdout).into());
    text.lines().next().unwrap_or("?").to_owned()
}
