//! Names for a fault: which function, of which generation, at which line.
//!
//! Owns the way from addresses to a description. Runs where locks may be taken, after the call
//! that faulted was given up, or on another thread.

use std::ffi::{CStr, c_void};

use super::Inner;
use super::state::State;
use crate::error::{Error, ErrorKind, Fault, Frame};
use crate::faults::{self, Caught, Why};
use crate::link::Image;

impl Inner {
    /// What has been caught, and the error that says so. `said` is the name of an exception's type, or
    /// what the host says.
    pub(super) fn describe_fault(&self, caught: &Caught, said: Option<&str>) -> (Fault, Error) {
        // A thread that faults while it has the lock gets addresses without names.
        let locked = self.state.lock_once();
        let state = locked.as_deref();
        let frames: Vec<Frame> = caught.frames().iter().map(|&at| self.frame(state, at)).collect();
        let mut fault = Fault {
            signal: caught.signal,
            stack_overflow: caught.why == Why::Overflow,
            frames,
            more_frames: caught.more,
            in_allocator: in_allocator(caught, self.arena.range()),
            ..Fault::default()
        };
        fault.address = match caught.why {
            Why::NoCode(address) => Some(address),
            Why::Interrupt | Why::Deadline => None,
            // The address of the instruction, of which that says nothing.
            _ if !matches!(caught.signal, libc::SIGSEGV | libc::SIGBUS) => None,
            // What the kernel says of an address that no pointer can be.
            _ if caught.code == SI_KERNEL => None,
            _ => Some(caught.address),
        };
        if matches!(caught.why, Why::Interrupt | Why::Deadline) {
            fault.signal = 0;
        }
        fault.changed_before = state.and_then(|state| self.changed_before(state, &fault));
        let module = fault.culprit().and_then(|frame| frame.module.clone());
        let file = module.as_ref().and_then(|(name, _)| state?.module_id(name));
        let file = file.and_then(|id| state?.module(id)?.current.source.file().map(str::to_owned));
        drop(locked);
        let error = error(caught, &fault, said).in_file(file.as_deref());
        let error = match &module {
            Some((name, _)) => error.in_module(name),
            None => error,
        };
        (fault.clone(), error.with_fault(fault))
    }

    fn frame(&self, state: Option<&State>, address: u64) -> Frame {
        let mut frame = Frame { address, ..Frame::default() };
        let (start, end) = self.arena.range();
        if !(start..end).contains(&address) {
            name_library(&mut frame);
            return frame;
        }
        if let Some((module, number, image)) = state.and_then(|state| state.image_at(address)) {
            frame.module = Some((module.to_owned(), number));
            if let Some((name, offset)) = image.functions.at(address) {
                frame.function = Some(name.to_owned());
                frame.offset = offset;
            }
            frame.line = image.lines.as_ref().and_then(|lines| lines.at(address));
        }
        frame
    }

    /// How long ago the last update changed the function at fault, if it did.
    fn changed_before(&self, state: &State, fault: &Fault) -> Option<std::time::Duration> {
        let frame = fault.culprit()?;
        let (module, number) = frame.module.as_ref()?;
        let name = frame.function.as_deref()?;
        let last = state.updates.last()?;
        let changed = last.modules.iter().any(|c| *c.name == **module && c.to == Some(*number));
        let live = state.module(state.module_id(module)?)?;
        let report = &live.current.report;
        let mut listed = report.changed_functions.iter().chain(&report.new_functions);
        (changed && *number > 1 && listed.any(|changed| changed == name)).then(|| last.at.elapsed())
    }
}

/// Whether generated code has called the C library's allocator, and was met in that.
fn in_allocator(caught: &Caught, (start, end): (u64, u64)) -> bool {
    let called = caught.frames().iter().take_while(|at| !(start..end).contains(at));
    called.into_iter().any(|&at| faults::is_allocator(at))
}

/// The kernel's `si_code` for a fault whose address it does not know.
const SI_KERNEL: i32 = 0x80;

fn error(caught: &Caught, fault: &Fault, said: Option<&str>) -> Error {
    let culprit = fault.culprit();
    let place = culprit.map_or_else(|| "generated code".to_owned(), Frame::to_string);
    let by = match fault.frames.first() {
        Some(first) if first.module.is_none() && fault.frames.iter().any(|f| f.module.is_some()) => {
            format!(", in {}, which it called", first.function.as_deref().unwrap_or("a library"))
        }
        _ => String::new(),
    };
    let message = match caught.why {
        // What it called itself says more than what that did in the end.
        Why::Abort => match called(fault) {
            Some(by) => format!("aborted by {by}, called in {place}"),
            None => format!("aborted in {place}"),
        },
        Why::Exit(status) => format!("exit({status}) was called in {place}"),
        Why::Exception => match said.map(type_name) {
            Some(name) => {
                format!("an exception of type {name}, which nothing catches, was thrown in {place}")
            }
            None => format!("an exception, which nothing catches, was thrown in {place}"),
        },
        Why::Host => said.unwrap_or("given up by the host").to_owned(),
        Why::Interrupt => format!("interrupted in {place}{by}"),
        Why::Deadline => format!("the time for the call was over in {place}{by}"),
        Why::Overflow => format!("stack overflow (SIGSEGV) in {place}{by}"),
        Why::NoCode(address) => {
            format!("{} in {place}: it called {address:#x}, where there is no code", fault.signal_name())
        }
        Why::Fault => {
            let at = fault.address.map(|address| format!(" at address {address:#x}")).unwrap_or_default();
            format!("{}{at} in {place}{by}", fault.signal_name())
        }
    };
    let kind = match caught.why {
        Why::Interrupt | Why::Deadline => ErrorKind::Interrupted,
        Why::Abort | Why::Exit(_) | Why::Exception => ErrorKind::Aborted,
        Why::Host => ErrorKind::GivenUp,
        Why::Fault | Why::Overflow | Why::NoCode(_) => ErrorKind::Fault,
    };
    let mut error = Error::new(kind, message);
    if let Why::Exit(status) = caught.why {
        error = error.with_exit_code(status);
    }
    match culprit.and_then(|frame| frame.function.as_deref()) {
        Some(name) => error.about(name),
        None => error,
    }
}

/// The type that C++ calls by this name.
fn type_name(name: &str) -> String {
    // Names of types that only one file knows begin so.
    let name = name.trim_start_matches('*');
    let symbol = cpp_demangle::Symbol::new(format!("_ZTS{name}")).ok();
    let text = symbol.and_then(|symbol| symbol.demangle().ok());
    let text = text.and_then(|text| text.strip_prefix("typeinfo name for ").map(str::to_owned));
    text.unwrap_or_else(|| name.to_owned())
}

/// The function that generated code has called and that was met in the middle.
fn called(fault: &Fault) -> Option<&str> {
    let inner = fault.frames.iter().position(|frame| frame.module.is_some())?.checked_sub(1)?;
    fault.frames.get(inner)?.function.as_deref()
}

impl State {
    /// The module, generation and image whose code is at `address`: live, kept or retired.
    fn image_at(&self, address: u64) -> Option<(&str, u64, &Image)> {
        for module in self.live() {
            let past = module.past.iter().map(|past| &past.generation);
            for generation in std::iter::once(&module.current).chain(past) {
                if let Some(image) = generation.images().find(|image| image.contains(address)) {
                    return Some((&module.name, generation.number, image));
                }
            }
        }
        let retired = self.retired.iter().find(|retired| retired.layer.image.contains(address))?;
        Some((&retired.module, retired.number, &retired.layer.image))
    }
}

/// The function of a library that an address is in, as the dynamic loader knows it.
#[allow(unsafe_code)]
fn name_library(frame: &mut Frame) {
    // SAFETY: zeroes are a valid value; valid for writes. The strings are the loader's, and stay
    // as long as the library.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(frame.address as *const c_void, &mut info) == 0 {
            return;
        }
        if !info.dli_fname.is_null() {
            let path = CStr::from_ptr(info.dli_fname).to_string_lossy();
            frame.library = Some(path.rsplit('/').next().unwrap_or(&path).to_owned());
        }
        if !info.dli_sname.is_null() {
            frame.function = Some(CStr::from_ptr(info.dli_sname).to_string_lossy().into_owned());
            frame.offset = frame.address.wrapping_sub(info.dli_saddr as u64);
        }
    }
}
