//! Trampolines between generated code and the host.
