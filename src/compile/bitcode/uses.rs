//! How bodies and initialisers use functions and variables.
//!
//! Owns adding up what the parts of a module say of others: a body's share is kept with it, so
//! that the sum of another version needs no more than the bodies that changed.

use super::file::Reached;
use super::function::Body;
use super::{NotUnderstood, Understood};

/// What a body says of another global value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Called(u32),
    /// It is used other than as what is called.
    Taken(u32),
    /// The address of a block of it is.
    BlockTaken(u32),
    /// A thread is started with it.
    Started(u32),
}

/// What bodies and initialisers say of other global values.
#[derive(Clone)]
pub(super) struct Uses {
    pub direct_calls: Vec<u32>,
    pub address_taken: Vec<bool>,
    pub block_address_taken: Vec<bool>,
    pub started: Vec<bool>,
}

impl Uses {
    pub fn new(count: usize) -> Self {
        Self {
            direct_calls: vec![0; count],
            address_taken: vec![false; count],
            block_address_taken: vec![false; count],
            started: vec![false; count],
        }
    }

    /// A global value is used other than as what is called.
    pub fn take(&mut self, reached: Reached) -> Understood<()> {
        let (of, list) = match reached {
            Reached::Global(global) => (global, &mut self.address_taken),
            Reached::BlockOf(function) => (function as usize, &mut self.block_address_taken),
        };
        *list.get_mut(of).ok_or(NotUnderstood("an unknown global value"))? = true;
        Ok(())
    }

    /// Adds those of a body of the same module.
    pub fn add(&mut self, body: &Body) {
        for r#use in &body.uses {
            match *r#use {
                Use::Called(function) => self.direct_calls[function as usize] += 1,
                Use::Taken(global) => self.address_taken[global as usize] = true,
                Use::BlockTaken(function) => self.block_address_taken[function as usize] = true,
                Use::Started(function) => self.started[function as usize] = true,
            }
        }
    }
}
