//! stub
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Item { Function(u32), Variable(u32) }
pub(crate) type Digest = u128;
pub(crate) struct Summary { pub module: Digest, pub indirections: Digest, pub initialisers: Digest, pub functions: Vec<Function>, pub variables: Vec<Variable> }
pub(crate) struct Function { pub name: Box<str>, pub defined: bool, pub own: Option<Digest>, pub deep: Option<Digest>, pub local: bool, pub discardable: bool, pub candidate: bool, pub always_inline: bool, pub calls: u32, pub address_taken: bool, pub refers: Vec<Item> }
pub(crate) struct Variable { pub name: Box<str>, pub defined: bool, pub constant: bool, pub private: bool, pub thread_local: bool, pub declaration: Digest, pub initialiser: Digest, pub refers: Vec<Item> }
pub(crate) fn summarise(_: &[u8]) -> Result<Summary, super::NotUnderstood> { Err(super::NotUnderstood("")) }
