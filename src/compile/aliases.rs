//! Aliases of aliases.
//!
//! clang makes complete destructors aliases of base ones, and these may be aliases of
//! another class's. Where definitions may be replaced, LLVM's verifier refuses that: what
//! the alias in the middle is, is not known. In one object all are names of one place, and
//! each has a slot of its own. Owns only that change, which comes before the verifier.
#![allow(unsafe_code)]

use inkwell::llvm_sys::core::*;
use inkwell::module::Module;

use super::llvm::values;

/// Points every alias at what is no alias.
pub(super) fn flatten(module: &Module<'_>) {
    let raw = module.as_mut_ptr();
    // SAFETY: the module was read and nobody else uses it. Its aliases form a list; each
    // has an aliasee. They may lead in a circle, which the verifier is left to refuse.
    unsafe {
        let all = values(LLVMGetFirstGlobalAlias(raw), LLVMGetNextGlobalAlias);
        for &alias in &all {
            let mut base = LLVMAliasGetAliasee(alias);
            for _ in 0..all.len() {
                if base.is_null() || LLVMIsAGlobalAlias(base).is_null() {
                    break;
                }
                base = LLVMAliasGetAliasee(base);
            }
            if !base.is_null() && LLVMIsAGlobalAlias(base).is_null() {
                LLVMAliasSetAliasee(alias, base);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use object::{Object as _, ObjectSymbol as _};

    use crate::compile::{CompileOptions, OptLevel, Source, compile};

    const CHAIN: &str = "
        @_ZN1BD1Ev = unnamed_addr alias void (ptr), ptr @_ZN1BD2Ev
        @_ZN1BD2Ev = unnamed_addr alias void (ptr), ptr @_ZN1AD2Ev
        define void @_ZN1AD2Ev(ptr %this) { ret void }
        define void @use(ptr %p) { call void @_ZN1BD1Ev(ptr %p) ret void }
        !llvm.module.flags = !{!0}
        !0 = !{i32 1, !\"SemanticInterposition\", i32 1}";

    #[test]
    fn an_alias_of_an_alias_is_one_more_name_of_the_place() {
        for level in [OptLevel::O0, OptLevel::O1, OptLevel::O2, OptLevel::O3] {
            for text in [CHAIN, CHAIN.split("!llvm").next().unwrap()] {
                let options = CompileOptions { level, ..CompileOptions::default() };
                let compiled = compile(&Source::ir(text), &options).unwrap();
                let file = object::File::parse(&*compiled.object).unwrap();
                let at = |name: &str| {
                    let symbol = file.symbols().find(|s| s.name() == Ok(name)).unwrap();
                    assert!(symbol.is_definition() && symbol.is_global(), "{name}");
                    (symbol.section_index(), symbol.address())
                };
                assert_eq!(at("_ZN1BD1Ev"), at("_ZN1AD2Ev"), "{level:?}");
                assert_eq!(at("_ZN1BD2Ev"), at("_ZN1AD2Ev"), "{level:?}");
            }
        }
    }

    #[test]
    fn aliases_in_a_circle_are_refused() {
        let circle = "@a = alias i32, ptr @b\n @b = alias i32, ptr @c\n @c = alias i32, ptr @b";
        assert!(compile(&Source::ir(circle), &CompileOptions::default()).is_err());
    }
}
