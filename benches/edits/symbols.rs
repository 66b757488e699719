//! What a module has for others and wants of them: the host's part of linking for LLJIT and
//! MCJIT, which know nothing of other modules' versions.

use std::collections::HashMap;

use inkwell::llvm_sys::prelude::LLVMModuleRef;

use crate::llvm;
use crate::stubs::Stubs;
use crate::ways::{Edit, Module, Result, Trouble};

/// The names that a module shares with others.
pub struct Names {
    /// Functions that others may call.
    pub functions: Vec<String>,
    /// Variables and constants that others may use.
    pub data: Vec<String>,
    /// What it only declares.
    pub wanted: Vec<String>,
}

impl Names {
    /// Looks a module through, before the optimiser has dropped declarations.
    pub fn of(module: LLVMModuleRef) -> Self {
        let (functions, variables) = (llvm::functions(module), llvm::variables(module));
        let exported = |values: &[_]| {
            values.iter().filter(|&&v| llvm::is_exported(v)).map(|&v| llvm::name(v)).collect::<Vec<String>>()
        };
        let all = functions.iter().chain(&variables);
        let wanted = all.filter(|&&v| llvm::is_declaration(v)).map(|&v| llvm::name(v)).collect();
        Self { functions: exported(&functions), data: exported(&variables), wanted }
    }
}

/// Where everything of the program is: functions behind stubs, data in place.
#[derive(Default)]
pub struct Symbols {
    /// The functions' stubs.
    pub stubs: Stubs,
    /// Where the newest code of each function is.
    pub code: HashMap<String, usize>,
    /// Where data is.
    pub data: HashMap<String, usize>,
}

impl Symbols {
    /// What a module refers to in other ones, with addresses; what is left over is the
    /// process's.
    pub fn resolve(&self, names: &Names) -> Vec<(String, usize)> {
        let find = |name: &String| {
            let address = self.stubs.find(name).or_else(|| self.data.get(name).copied())?;
            Some((name.clone(), address))
        };
        names.wanted.iter().filter_map(find).collect()
    }

    /// Notes what a loaded module has, and has the stubs lead there.
    pub fn publish(&mut self, names: &Names, address: impl Fn(&str) -> usize) {
        for name in &names.functions {
            // A function that only the new version has.
            self.stubs.add(name);
            let address = address(name);
            self.stubs.lead(name, address);
            self.code.insert(name.clone(), address);
        }
        for name in &names.data {
            self.data.insert(name.clone(), address(name));
        }
    }

    /// The code or data of a name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.code.get(name).or_else(|| self.data.get(name)).copied()
    }

    /// Calls the entry of an edit where it says what the new code answers.
    pub fn first_call(&self, edit: &Edit) -> Result<()> {
        let address = self.find(&edit.entry);
        let address = address.ok_or_else(|| Trouble::failed(format!("there is no `{}`", edit.entry)))?;
        if !edit.call {
            return Ok(());
        }
        // SAFETY: the edit says that its entry has this type; old code stays for ever.
        let answer = unsafe { std::mem::transmute::<usize, extern "C" fn() -> i32>(address)() };
        match edit.answer {
            Some(expected) if expected != answer => {
                Err(Trouble::failed(format!("`{}` answers {answer} instead of {expected}", edit.entry)))
            }
            _ => Ok(()),
        }
    }

    /// The order to load modules in: each after those whose data it refers to. Every function
    /// gets its stub here, so calls may go in circles.
    pub fn order(&mut self, modules: &[Module]) -> Result<Vec<usize>> {
        let names: Vec<Names> = modules.iter().map(|m| llvm::with(&m.bitcode, Names::of)).collect();
        names.iter().flat_map(|n| &n.functions).for_each(|name| self.stubs.add(name));
        let owners = names.iter().enumerate();
        let owner: HashMap<&str, usize> =
            owners.flat_map(|(index, n)| n.data.iter().map(move |name| (name.as_str(), index))).collect();
        let (mut order, mut done) = (Vec::new(), vec![false; modules.len()]);
        while order.len() < modules.len() {
            let before = order.len();
            for (index, names) in names.iter().enumerate() {
                let mut needs = names.wanted.iter().filter_map(|name| owner.get(name.as_str()));
                if !done[index] && needs.all(|&other| other == index || done[other]) {
                    done[index] = true;
                    order.push(index);
                }
            }
            if order.len() == before {
                return Err(Trouble::failed("variables of modules refer to each other in a circle"));
            }
        }
        Ok(order)
    }
}
