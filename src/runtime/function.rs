//! Typed handles to functions of generated code.
//!
//! Owns the translation of a Rust function pointer type to the IR type it must match, and
//! the handle that stays valid over every replacement: it holds a stub's address, which is
//! the function's for life. Knows nothing of how signatures are found.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Runtime;
use super::anonymous::Held;
use super::guarded::{self, Guarded};
use crate::error::Result;

/// A type that a C function can take or return in one IR value.
///
/// # Safety
/// `IR` is the LLVM type to which the platform's C ABI lowers `Self`.
pub unsafe trait AbiType {
    /// The LLVM type, as LLVM prints it.
    const IR: &'static str;
}

macro_rules! abi {
    ($($ir:literal: $($t:ty),+;)+) => {
        $($(
            // SAFETY: the C ABI passes this type as one LLVM value of that type.
            unsafe impl AbiType for $t {
                const IR: &'static str = $ir;
            }
        )+)+
    };
}

abi! {
    "i8": i8, u8;
    "i16": i16, u16;
    "i32": i32, u32;
    "i64": i64, u64, isize, usize;
    "i1": bool;
    "float": f32;
    "double": f64;
    "void": ();
}

// SAFETY: thin pointers are `ptr`.
unsafe impl<T> AbiType for *const T {
    const IR: &'static str = "ptr";
}
// SAFETY: as above.
unsafe impl<T> AbiType for *mut T {
    const IR: &'static str = "ptr";
}
// SAFETY: as above; null is None.
unsafe impl<T> AbiType for Option<&T> {
    const IR: &'static str = "ptr";
}

/// A function pointer type that a handle can have: `extern "C" fn(A, B, …) -> R`, safe or
/// unsafe, of up to twelve [`AbiType`]s.
///
/// # Safety
/// Implemented by this crate only: `Self` is a function pointer, `ir_type` its LLVM type.
pub unsafe trait Signature: Copy + Send + Sync + 'static {
    /// The function's LLVM type, as LLVM prints it: `i64 (i64, ptr)`.
    fn ir_type() -> String;

    /// The function pointer with this address.
    ///
    /// # Safety
    /// There is a function of type `Self` at `address`.
    #[doc(hidden)]
    unsafe fn from_address(address: *const c_void) -> Self;

    /// The address of the function.
    #[doc(hidden)]
    fn address(self) -> *const c_void;
}

macro_rules! signature {
    ($($name:ident $value:ident),*) => {
        signature!(@one [extern "C" fn($($name),*) -> Ret] [] $($name $value),*);
        signature!(@one [unsafe extern "C" fn($($name),*) -> Ret] [unsafe] $($name $value),*);
    };
    (@one [$pointer:ty] [$($unsafe:ident)?] $($name:ident $value:ident),*) => {
        // SAFETY: a function pointer; the type is put together from its parts.
        unsafe impl<Ret: AbiType + 'static $(, $name: AbiType + 'static)*> Signature for $pointer {
            fn ir_type() -> String {
                let parameters: &[&str] = &[$($name::IR),*];
                format!("{} ({})", Ret::IR, parameters.join(", "))
            }

            unsafe fn from_address(address: *const c_void) -> Self {
                // SAFETY: both are thin pointers; the rest is the caller's promise.
                unsafe { std::mem::transmute::<*const c_void, $pointer>(address) }
            }

            fn address(self) -> *const c_void {
                self as *const c_void
            }
        }

        impl<Ret: AbiType + 'static $(, $name: AbiType + 'static)*> Function<$pointer> {
            /// Calls the function as it is now: the newest version committed.
            ///
            /// # Safety
            /// For `unsafe` function types: as the function demands.
            #[allow(clippy::too_many_arguments)]
            pub $($unsafe)? fn call(&self $(, $value: $name)*) -> Ret {
                let function = self.as_ptr();
                signature!(@call [$($unsafe)?] function($($value),*))
            }

            /// Calls the function as [`Self::call`] does, under a guard: a fault of generated
            /// code, or a call of a function that nothing defines, anywhere below, comes back as an
            /// error of this call.
            ///
            /// The same as [`Self::guarded`] with no limits; see there for what is contained, what
            /// is given up, and what it takes.
            ///
            /// # Errors
            /// [`ErrorKind::Fault`](crate::ErrorKind::Fault) when generated code did something that
            /// cannot be, [`ErrorKind::Resolve`](crate::ErrorKind::Resolve) when a function was
            /// called that nothing defines. The code before that has been run.
            ///
            /// # Safety
            /// For `unsafe` function types: as the function demands. For all: as [`Guarded`] says.
            #[allow(clippy::too_many_arguments)]
            #[inline]
            pub $($unsafe)? fn try_call(&self $(, $value: $name)*) -> Result<Ret> {
                // SAFETY: the promise of whoever made the handle, see `Runtime::function`. That
                // the call may unwind is no promise to it: a guard bears it.
                let function = unsafe {
                    std::mem::transmute::<*const c_void, signature!(@unwinding $($name),*)>(self.address)
                };
                // SAFETY: as above, and for `unsafe` types the caller's promise.
                guarded::run(&self.runtime, move || unsafe { function($($value),*) })
            }
        }

        impl<Ret: AbiType + 'static $(, $name: AbiType + 'static)*> Guarded<'_, $pointer> {
            /// Calls the function.
            ///
            /// # Errors
            /// As [`Function::try_call`], and [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted)
            /// when the call was interrupted or its time is over.
            ///
            /// # Safety
            /// For `unsafe` function types: as the function demands. For all: as [`Guarded`] says.
            #[allow(clippy::too_many_arguments)]
            pub $($unsafe)? fn call(self $(, $value: $name)*) -> Result<Ret> {
                let address = self.function().address;
                // SAFETY: as in `try_call`.
                let function = unsafe {
                    std::mem::transmute::<*const c_void, signature!(@unwinding $($name),*)>(address)
                };
                // SAFETY: as in `try_call`.
                self.run(move || unsafe { function($($value),*) })
            }
        }
    };
    (@unwinding $($name:ident),*) => { unsafe extern "C-unwind" fn($($name),*) -> Ret };
    (@call [unsafe] $call:expr) => {
        // SAFETY: the caller's promise.
        unsafe { $call }
    };
    (@call [] $call:expr) => { $call };
}

signature!();
signature!(A a);
signature!(A a, B b);
signature!(A a, B b, C c);
signature!(A a, B b, C c, D d);
signature!(A a, B b, C c, D d, E e);
signature!(A a, B b, C c, D d, E e, F f);
signature!(A a, B b, C c, D d, E e, F f, G g);
signature!(A a, B b, C c, D d, E e, F f, G g, H h);
signature!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
signature!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
signature!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
signature!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);

/// A function of generated code, up to date over every replacement.
///
/// It keeps its runtime alive. Made by [`Runtime::function`]; and by
/// [`Anonymous::function`](super::Anonymous::function), then it keeps that module in place as well.
pub struct Function<F> {
    address: *const c_void,
    runtime: Runtime,
    /// Says that the function is held under this type.
    token: Arc<()>,
    /// What it is a function of, where that ends with its handles.
    held: Option<Arc<Held>>,
    kind: PhantomData<F>,
}

// SAFETY: the address is that of a stub, which any thread may call.
unsafe impl<F: Signature> Send for Function<F> {}
// SAFETY: as above.
unsafe impl<F: Signature> Sync for Function<F> {}

impl<F: Signature> Function<F> {
    pub(super) fn new(address: *const c_void, runtime: Runtime, token: Arc<()>) -> Self {
        Self { address, runtime, token, held: None, kind: PhantomData }
    }

    /// A handle that keeps the anonymous module `held` in place.
    pub(super) fn holding(self, held: Arc<Held>) -> Self {
        Self { held: Some(held), ..self }
    }

    /// The function as a plain pointer: its stub, the same over every replacement. It is
    /// valid for as long as the runtime.
    pub fn as_ptr(&self) -> F {
        // SAFETY: the promise of whoever made the handle, see `Runtime::function`.
        unsafe { F::from_address(self.address) }
    }

    /// A call of the function that comes back as an error where it cannot go on, with the limits
    /// that are said next.
    pub fn guarded(&self) -> Guarded<'_, F> {
        Guarded::new(self)
    }

    /// The runtime that the function belongs to.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

impl<F> Clone for Function<F> {
    fn clone(&self) -> Self {
        let Self { address, ref runtime, ref token, ref held, kind } = *self;
        Self { address, runtime: runtime.clone(), token: token.clone(), held: held.clone(), kind }
    }
}

impl<F: Signature> fmt::Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({} at {:p})", F::ir_type(), self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_knows_the_types_of_handles_that_are_held() {
        let rt = Runtime::builder().arena_size(64 << 20).build().unwrap();
        let live = || {
            let state = rt.inner.state.lock();
            let symbol = state.symbols.get(state.find("f").unwrap());
            symbol.live_handles().map(str::to_owned).collect::<Vec<_>>()
        };
        let source = crate::compile::Source::ir("define i8 @f() { ret i8 1 }").trusted();
        rt.load("m", source).unwrap();
        assert!(live().is_empty());
        // SAFETY: never called.
        let first = unsafe { rt.function::<extern "C" fn() -> i8>("f") }.unwrap();
        // SAFETY: as above.
        let other = unsafe { rt.function::<extern "C" fn() -> bool>("f") }.unwrap();
        assert_eq!(live(), ["i8 ()", "i1 ()"]);
        let again = first.clone();
        drop((first, other));
        assert_eq!(live(), ["i8 ()"]);
        drop(again);
        assert!(live().is_empty());
    }

    #[test]
    fn types_are_printed_as_llvm_does() {
        assert_eq!(<extern "C" fn(i64) -> i64>::ir_type(), "i64 (i64)");
        assert_eq!(<unsafe extern "C" fn(*const u8, f64)>::ir_type(), "void (ptr, double)");
        assert_eq!(<extern "C" fn()>::ir_type(), "void ()");
    }
}
