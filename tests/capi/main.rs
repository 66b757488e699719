//! The C interface: its header, and hosts in C and C++ that are built with it.

mod build;
mod header;
mod hosts;
mod nulls;
mod panics;
