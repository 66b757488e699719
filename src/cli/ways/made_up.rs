//! An edit for who has none: one function of a module gets other code that does the same.
//!
//! The function stores a number where nobody looks, in a way that the optimiser may not leave
//! out. A module's bitcode goes in and comes out; nothing is compiled.

use std::path::Path;

use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::values::FunctionValue;

use super::{Edit, Module, Program, Result, Trouble, codegen};

/// Edits one function of a module, differently for each `number`: of the functions that others
/// can call, the one of middle size. `None` for a module that has none.
pub fn edit(program: &Program, module: usize, number: u64) -> Result<Option<Edit>> {
    let before = program.modules.get(module).ok_or_else(|| Trouble::failed("no such module"))?;
    let context = Context::create();
    let parsed = read(&context, before)?;
    let mut functions: Vec<_> = codegen::defined(&parsed).filter(|f| has_a_name(*f)).collect();
    functions.sort_by_cached_key(|function| size(*function));
    let Some(function) = functions.get(functions.len() / 2) else { return Ok(None) };
    change(&context, *function, number)?;
    let entry = function.get_name().to_string_lossy().into_owned();
    let to = Module { bitcode: parsed.write_bitcode_to_memory().as_slice().into(), ..before.clone() };
    Ok(Some(Edit { module, to, entry, call: false, answer: None }))
}

/// The functions that others can call, with what tells whether their code changed.
pub fn entries(module: &Module) -> Result<Vec<(String, String)>> {
    let context = Context::create();
    let parsed = read(&context, module)?;
    let entry = |f: FunctionValue<'_>| (f.get_name().to_string_lossy().into_owned(), f.to_string());
    Ok(codegen::defined(&parsed).filter(|f| has_a_name(*f)).map(entry).collect())
}

/// The bitcode of a file of IR, text or not.
pub fn bitcode(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|e| Trouble::failed(format!("{}: {e}", path.display())))?;
    let context = Context::create();
    let module = Module { name: path.display().to_string(), bitcode: bytes.into(), file: None };
    Ok(read(&context, &module)?.write_bitcode_to_memory().as_slice().to_vec())
}

/// Puts the store at the start of a function.
fn change(context: &Context, function: FunctionValue<'_>, number: u64) -> Result<()> {
    let nothing = || Trouble::failed("a function without an instruction");
    let block = function.get_first_basic_block().ok_or_else(nothing)?;
    let first = block.get_first_instruction().ok_or_else(nothing)?;
    let builder = context.create_builder();
    // A function's first block has no phi instructions, so this is in front of everything.
    builder.position_before(&first);
    let kind = context.i64_type();
    let place = builder.build_alloca(kind, "edited").map_err(Trouble::failed)?;
    let store = builder.build_store(place, kind.const_int(number, false)).map_err(Trouble::failed)?;
    store.set_volatile(true).map_err(Trouble::failed)
}

fn size(function: FunctionValue<'_>) -> (usize, Vec<u8>) {
    let blocks = function.get_basic_block_iter();
    let count = blocks.map(|block| block.get_instructions().count()).sum();
    // Equal ones in an order that does not depend on anything else.
    (count, function.get_name().to_bytes().to_vec())
}

/// As code that is inlined everywhere a function may be gone after optimisation: then it is
/// nothing to look up. A name that linkers take apart is nothing for them either.
fn has_a_name(function: FunctionValue<'_>) -> bool {
    use inkwell::module::Linkage::{External, WeakAny, WeakODR};
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.$".contains(byte);
    matches!(function.get_linkage(), External | WeakAny | WeakODR)
        && function.get_name().to_bytes().iter().all(plain)
}

fn read<'c>(context: &'c Context, module: &Module) -> Result<inkwell::module::Module<'c>> {
    let buffer = MemoryBuffer::create_from_memory_range_copy(&module.bitcode, &module.name);
    context
        .create_module_from_ir(buffer)
        .map_err(|why| Trouble::failed(format!("{}: {}", module.name, why.to_string().trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "declare void @elsewhere()\n\
        define internal void @own() {\n call void @elsewhere()\n ret void\n}\n\
        define linkonce_odr void @shared() {\n ret void\n}\n\
        define void @short() {\n ret void\n}\n\
        define void @middle() {\n call void @own()\n ret void\n}\n\
        define void @long() {\n call void @own()\n call void @shared()\n ret void\n}\n";

    fn program(text: &str) -> Program {
        let module = Module { name: "m".into(), bitcode: text.as_bytes().into(), file: None };
        Program { modules: vec![module], ..Program::default() }
    }

    #[test]
    fn one_function_changes_and_each_time_another_way() {
        let program = program(TEXT);
        let before = entries(&program.modules[0]).unwrap();
        let names: Vec<&str> = before.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["short", "middle", "long"]);
        let edits = [1, 2].map(|number| edit(&program, 0, number).unwrap().unwrap());
        for edit in &edits {
            assert_eq!(edit.entry, "middle");
            let after = entries(&edit.to).unwrap();
            let changed: Vec<&str> =
                after.iter().filter(|entry| !before.contains(entry)).map(|(name, _)| name.as_str()).collect();
            assert_eq!(changed, ["middle"]);
            let context = Context::create();
            read(&context, &edit.to).unwrap().verify().unwrap();
        }
        assert_ne!(edits[0].to.bitcode, edits[1].to.bitcode);
    }

    #[test]
    fn without_a_function_for_others_there_is_no_edit() {
        let program = program("define internal void @own() {\n ret void\n}\n");
        assert!(edit(&program, 0, 1).unwrap().is_none());
    }
}
