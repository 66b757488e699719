//! Trees to LLVM: each function a module of its own.
//!
//! A module defines one function and declares those that it calls. How many parameters these have is all
//! that it needs to know of them; where they are, hotslot's table says, and that may change.

use std::collections::HashMap;

use inkwell::FloatPredicate;
use inkwell::basic_block::BasicBlock;
use inkwell::builder::Builder;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::types::{BasicMetadataTypeEnum, FunctionType};
use inkwell::values::{BasicMetadataValueEnum, FloatValue, FunctionValue, IntValue, PointerValue};

use crate::Result;
use crate::syntax::{Expr, Prototype};

/// A module with the function `prototype`. `arity` says how many parameters another function has.
pub fn module<'ctx>(
    context: &'ctx Context,
    prototype: &Prototype,
    body: &Expr,
    arity: &dyn Fn(&str) -> Option<usize>,
) -> Result<Module<'ctx>> {
    let module = context.create_module(&prototype.name);
    let own = prototype.parameters.len();
    let arity = |name: &str| if name == prototype.name { Some(own) } else { arity(name) };
    let kind = function_type(context, own);
    let function = module.add_function(&prototype.name, kind, None);
    let (places, builder) = (context.create_builder(), context.create_builder());
    places.position_at_end(context.append_basic_block(function, "entry"));
    let start = context.append_basic_block(function, "body");
    builder.position_at_end(start);
    let (variables, arity) = (HashMap::new(), &arity);
    let mut emitter = Emitter { context, module: &module, places, builder, function, arity, variables };
    for (name, value) in prototype.parameters.iter().zip(function.get_param_iter()) {
        emitter.bind(name, value.into_float_value())?;
    }
    let result = emitter.value(body)?;
    emitter.builder.build_return(Some(&result))?;
    emitter.places.build_unconditional_branch(start)?;
    drop(emitter);
    Ok(module)
}

fn function_type(context: &Context, parameters: usize) -> FunctionType<'_> {
    let number = context.f64_type();
    number.fn_type(&vec![BasicMetadataTypeEnum::from(number); parameters], false)
}

struct Emitter<'ctx, 'm> {
    context: &'ctx Context,
    module: &'m Module<'ctx>,
    /// Every variable has a place in memory, made at the entry; LLVM puts them into registers.
    places: Builder<'ctx>,
    builder: Builder<'ctx>,
    function: FunctionValue<'ctx>,
    arity: &'m dyn Fn(&str) -> Option<usize>,
    variables: HashMap<String, PointerValue<'ctx>>,
}

impl<'ctx> Emitter<'ctx, '_> {
    /// Makes a variable.
    fn bind(&mut self, name: &str, value: FloatValue<'ctx>) -> Result<PointerValue<'ctx>> {
        let place = self.places.build_alloca(self.context.f64_type(), name)?;
        self.builder.build_store(place, value)?;
        self.variables.insert(name.to_owned(), place);
        Ok(place)
    }

    fn place(&self, name: &str) -> Result<PointerValue<'ctx>> {
        self.variables.get(name).copied().ok_or_else(|| format!("there is no variable {name}").into())
    }

    fn load(&self, place: PointerValue<'ctx>) -> Result<FloatValue<'ctx>> {
        Ok(self.builder.build_load(self.context.f64_type(), place, "value")?.into_float_value())
    }

    fn block(&self, name: &str) -> BasicBlock<'ctx> {
        self.context.append_basic_block(self.function, name)
    }

    fn value(&mut self, expr: &Expr) -> Result<FloatValue<'ctx>> {
        let number = self.context.f64_type();
        Ok(match expr {
            Expr::Number(value) => number.const_float(*value),
            Expr::Variable(name) => self.load(self.place(name)?)?,
            Expr::Assign(name, value) => {
                let value = self.value(value)?;
                self.builder.build_store(self.place(name)?, value)?;
                value
            }
            Expr::Binary(sign, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                match sign {
                    '+' => self.builder.build_float_add(left, right, "sum")?,
                    '-' => self.builder.build_float_sub(left, right, "difference")?,
                    '*' => self.builder.build_float_mul(left, right, "product")?,
                    '<' => {
                        let less = self.builder.build_float_compare(FloatPredicate::ULT, left, right, "")?;
                        self.builder.build_unsigned_int_to_float(less, number, "less")?
                    }
                    sign => self.call(&format!("binary{sign}"), vec![left.into(), right.into()])?,
                }
            }
            Expr::Call(name, arguments) => {
                let values: Result<_> = arguments.iter().map(|expr| Ok(self.value(expr)?.into())).collect();
                self.call(name, values?)?
            }
            Expr::If { condition, then, otherwise } => self.branch(condition, then, otherwise)?,
            Expr::For { variable, start, end, step, body } => {
                let start = self.value(start)?;
                let outside = self.variables.clone();
                let place = self.bind(variable, start)?;
                let (turn, after) = (self.block("loop"), self.block("after"));
                self.builder.build_unconditional_branch(turn)?;
                self.builder.position_at_end(turn);
                self.value(body)?;
                let step = step.as_ref().map_or(Ok(number.const_float(1.0)), |step| self.value(step))?;
                let goes_on = self.truth(end)?;
                let next = self.builder.build_float_add(self.load(place)?, step, "next")?;
                self.builder.build_store(place, next)?;
                self.builder.build_conditional_branch(goes_on, turn, after)?;
                self.builder.position_at_end(after);
                self.variables = outside;
                number.const_zero()
            }
            Expr::Var { variables, body } => {
                let outside = self.variables.clone();
                for (name, value) in variables {
                    let value = value.as_ref().map_or(Ok(number.const_zero()), |value| self.value(value))?;
                    self.bind(name, value)?;
                }
                let result = self.value(body)?;
                self.variables = outside;
                result
            }
        })
    }

    /// Whether a number is not zero.
    fn truth(&mut self, expr: &Expr) -> Result<IntValue<'ctx>> {
        let value = self.value(expr)?;
        let zero = self.context.f64_type().const_zero();
        Ok(self.builder.build_float_compare(FloatPredicate::ONE, value, zero, "truth")?)
    }

    fn branch(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr) -> Result<FloatValue<'ctx>> {
        let truth = self.truth(condition)?;
        let (yes, no, join) = (self.block("then"), self.block("else"), self.block("join"));
        self.builder.build_conditional_branch(truth, yes, no)?;
        let place = self.places.build_alloca(self.context.f64_type(), "value")?;
        for (block, expr) in [(yes, then), (no, otherwise)] {
            self.builder.position_at_end(block);
            let value = self.value(expr)?;
            self.builder.build_store(place, value)?;
            self.builder.build_unconditional_branch(join)?;
        }
        self.builder.position_at_end(join);
        self.load(place)
    }

    fn call(&self, name: &str, arguments: Vec<BasicMetadataValueEnum<'ctx>>) -> Result<FloatValue<'ctx>> {
        let arity = (self.arity)(name).ok_or_else(|| format!("there is no function {name}"))?;
        if arity != arguments.len() {
            return Err(format!("{name} has {arity} parameters, not {}", arguments.len()).into());
        }
        let declared = || self.module.add_function(name, function_type(self.context, arity), None);
        let callee = self.module.get_function(name).unwrap_or_else(declared);
        let result = self.builder.build_call(callee, &arguments, "result")?;
        let value = result.try_as_basic_value().basic();
        value.map(|value| value.into_float_value()).ok_or("a function has a result".into())
    }
}
