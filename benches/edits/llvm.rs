//! LLVM as any host would use it: parse, optimise, generate, and look at what a module has.
//!
//! The passes are those that hotslot runs, with the same settings, so that ways differ in
//! what they compile and not in how well.

use std::ffi::{CStr, CString, c_char};
use std::ptr::null_mut;

use inkwell::OptimizationLevel;
use inkwell::llvm_sys::LLVMLinkage;
use inkwell::llvm_sys::bit_reader::LLVMParseBitcodeInContext2;
use inkwell::llvm_sys::bit_writer::LLVMWriteBitcodeToMemoryBuffer;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::error::LLVMGetErrorMessage;
use inkwell::llvm_sys::ir_reader::LLVMParseIRInContext;
use inkwell::llvm_sys::orc2::{
    LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine, LLVMOrcJITTargetMachineBuilderRef,
};
use inkwell::llvm_sys::prelude::*;
use inkwell::llvm_sys::target_machine::{LLVMCodeGenFileType, LLVMTargetMachineEmitToMemoryBuffer};
use inkwell::llvm_sys::transforms::pass_builder::*;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine};

use crate::ways::Level;

/// A target machine of the host at a level.
pub struct Machine {
    machine: TargetMachine,
    level: Level,
}

impl Machine {
    /// Position-independent code, small model: hotslot's own choice.
    pub fn new(level: Level) -> Self {
        initialise();
        let triple = TargetMachine::get_default_triple();
        let target = Target::from_triple(&triple).expect("LLVM knows this machine");
        let (cpu, features) = (TargetMachine::get_host_cpu_name(), TargetMachine::get_host_cpu_features());
        let effort = match level {
            Level::O0 => OptimizationLevel::None,
            Level::O1 => OptimizationLevel::Less,
            Level::O2 => OptimizationLevel::Default,
            Level::O3 => OptimizationLevel::Aggressive,
        };
        let (cpu, features) = (cpu.to_string(), features.to_string());
        let made =
            target.create_target_machine(&triple, &cpu, &features, effort, RelocMode::PIC, CodeModel::Small);
        Self { machine: made.expect("LLVM generates code for this machine"), level }
    }

    /// As LLJIT takes it.
    pub fn into_builder(self) -> LLVMOrcJITTargetMachineBuilderRef {
        let machine = self.machine.as_mut_ptr();
        // LLVM takes the machine.
        std::mem::forget(self.machine);
        // SAFETY: a machine that nobody else uses or disposes of.
        unsafe { LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine) }
    }

    /// Runs the pipeline of the level.
    pub fn optimise(&self, module: LLVMModuleRef) {
        let passes = CString::new(format!("default<{}>", self.level.name())).unwrap_or_default();
        let eager = i32::from(matches!(self.level, Level::O2 | Level::O3));
        // SAFETY: a live module; the options are disposed of once.
        unsafe {
            let options = LLVMCreatePassBuilderOptions();
            LLVMPassBuilderOptionsSetLoopVectorization(options, eager);
            LLVMPassBuilderOptionsSetSLPVectorization(options, eager);
            LLVMPassBuilderOptionsSetLoopInterleaving(options, eager);
            LLVMPassBuilderOptionsSetLoopUnrolling(options, eager);
            LLVMPassBuilderOptionsSetCallGraphProfile(options, 1);
            let error = LLVMRunPasses(module, passes.as_ptr(), self.machine.as_mut_ptr(), options);
            LLVMDisposePassBuilderOptions(options);
            if !error.is_null() {
                panic!("LLVM's passes: {}", CStr::from_ptr(LLVMGetErrorMessage(error)).to_string_lossy());
            }
        }
    }

    /// Generates an object; its size in bytes.
    pub fn generate(&self, module: LLVMModuleRef) -> usize {
        // SAFETY: a live module; the buffer is disposed of once.
        unsafe {
            let (mut buffer, mut message) = (null_mut(), null_mut());
            let machine = self.machine.as_mut_ptr();
            let kind = LLVMCodeGenFileType::LLVMObjectFile;
            let failed =
                LLVMTargetMachineEmitToMemoryBuffer(machine, module, kind, &mut message, &mut buffer);
            assert_eq!(failed, 0, "code generation failed");
            let size = LLVMGetBufferSize(buffer);
            LLVMDisposeMemoryBuffer(buffer);
            size
        }
    }
}

/// Registers the host's code generator.
pub fn initialise() {
    Target::initialize_native(&InitializationConfig::default()).expect("LLVM was built for this processor");
}

/// Reads bitcode.
pub fn parse(context: LLVMContextRef, bitcode: &[u8]) -> LLVMModuleRef {
    // SAFETY: a live context; the buffer refers to `bitcode` only during the call, which
    // reads all of it.
    unsafe {
        let start = bitcode.as_ptr().cast::<c_char>();
        let buffer = LLVMCreateMemoryBufferWithMemoryRange(start, bitcode.len(), c"module".as_ptr(), 0);
        let mut module = null_mut();
        let failed = LLVMParseBitcodeInContext2(context, buffer, &mut module);
        LLVMDisposeMemoryBuffer(buffer);
        assert_eq!(failed, 0, "LLVM reads what LLVM wrote");
        module
    }
}

/// Textual IR as bitcode.
pub fn assemble(text: &str) -> Vec<u8> {
    let text = CString::new(text).expect("IR has no zero bytes");
    // SAFETY: the text ends with a zero byte, as LLVM's reader wants; it takes the buffer.
    unsafe {
        let context = LLVMContextCreate();
        let (start, length) = (text.as_ptr(), text.as_bytes().len());
        let buffer = LLVMCreateMemoryBufferWithMemoryRange(start, length, c"module".as_ptr(), 1);
        let (mut module, mut message) = (null_mut(), null_mut());
        if LLVMParseIRInContext(context, buffer, &mut module, &mut message) != 0 {
            panic!("generated IR: {}", CStr::from_ptr(message).to_string_lossy());
        }
        let bitcode = write(module);
        LLVMDisposeModule(module);
        LLVMContextDispose(context);
        bitcode
    }
}

/// The module as bitcode.
pub fn write(module: LLVMModuleRef) -> Vec<u8> {
    // SAFETY: a live module; the bytes are copied before the buffer goes.
    unsafe {
        let buffer = LLVMWriteBitcodeToMemoryBuffer(module);
        let start = LLVMGetBufferStart(buffer).cast::<u8>();
        let bytes = std::slice::from_raw_parts(start, LLVMGetBufferSize(buffer)).to_vec();
        LLVMDisposeMemoryBuffer(buffer);
        bytes
    }
}

/// Reads a module in a context of its own, for as long as `work` runs.
pub fn with<T>(bitcode: &[u8], work: impl FnOnce(LLVMModuleRef) -> T) -> T {
    // SAFETY: both end after their last use.
    unsafe {
        let context = LLVMContextCreate();
        let module = parse(context, bitcode);
        let result = work(module);
        LLVMDisposeModule(module);
        LLVMContextDispose(context);
        result
    }
}

/// The functions of a module, intrinsics left out.
pub fn functions(module: LLVMModuleRef) -> Vec<LLVMValueRef> {
    // SAFETY: a live module.
    let all = unsafe { list(LLVMGetFirstFunction(module), |f| LLVMGetNextFunction(f)) };
    // SAFETY: functions of a live module.
    all.into_iter().filter(|&f| unsafe { LLVMGetIntrinsicID(f) } == 0).collect()
}

/// The variables of a module, LLVM's own lists left out.
pub fn variables(module: LLVMModuleRef) -> Vec<LLVMValueRef> {
    // SAFETY: a live module.
    let all = unsafe { list(LLVMGetFirstGlobal(module), |v| LLVMGetNextGlobal(v)) };
    all.into_iter().filter(|&v| !name(v).starts_with("llvm.")).collect()
}

fn list(first: LLVMValueRef, next: impl Fn(LLVMValueRef) -> LLVMValueRef) -> Vec<LLVMValueRef> {
    let present = |value: LLVMValueRef| (!value.is_null()).then_some(value);
    std::iter::successors(present(first), |&value| present(next(value))).collect()
}

/// The name of a function or variable.
pub fn name(value: LLVMValueRef) -> String {
    let mut length = 0;
    // SAFETY: a live value; the text has that length.
    unsafe {
        let text = LLVMGetValueName2(value, &mut length).cast::<u8>();
        String::from_utf8_lossy(std::slice::from_raw_parts(text, length)).into_owned()
    }
}

/// Whether the module only refers to it.
pub fn is_declaration(value: LLVMValueRef) -> bool {
    // SAFETY: a live function or variable.
    unsafe { LLVMIsDeclaration(value) != 0 }
}

/// Whether other modules see it.
pub fn is_exported(value: LLVMValueRef) -> bool {
    // SAFETY: a live function or variable.
    let linkage = unsafe { LLVMGetLinkage(value) };
    !is_declaration(value)
        && !matches!(linkage, LLVMLinkage::LLVMInternalLinkage | LLVMLinkage::LLVMPrivateLinkage)
}

/// How many instructions a function has.
pub fn instructions(function: LLVMValueRef) -> usize {
    let mut count = 0;
    // SAFETY: a live function; its blocks and their instructions are lists.
    unsafe {
        let mut block = LLVMGetFirstBasicBlock(function);
        while !block.is_null() {
            let mut instruction = LLVMGetFirstInstruction(block);
            while !instruction.is_null() {
                count += 1;
                instruction = LLVMGetNextInstruction(instruction);
            }
            block = LLVMGetNextBasicBlock(block);
        }
    }
    count
}
