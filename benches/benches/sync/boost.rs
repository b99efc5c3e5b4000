//! Boost.Interprocess, where it is installed.

use std::ffi::{CStr, CString, c_void};
use std::process::Command;
use std::sync::atomic::AtomicU32;

use ndshm_benches::absent;

use crate::arena::Arena;

/// Boost's mutex around a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoostMutex {
    place: *mut c_void,
    increments: Increments,
    value: Value,
}

type Increments = unsafe extern "C" fn(*mut c_void, u64, *const AtomicU32) -> u64;
type Value = unsafe extern "C" fn(*mut c_void) -> u64;

// SAFETY: the place is in shared memory for ever, and the functions lock before they touch it.
unsafe impl Send for BoostMutex {}
// SAFETY: as for `Send`.
unsafe impl Sync for BoostMutex {}

impl BoostMutex {
    /// A new one. `None`, and said aloud, where it cannot be built.
    ///
    /// # Panics
    ///
    /// When what was built cannot be used.
    #[must_use]
    pub(crate) fn create(arena: &Arena) -> Option<Self> {
        let library = build().map_err(|why| absent("Boost.Interprocess", &why)).ok()?;
        // SAFETY: the library runs nothing of its own when it is loaded but the constructors of the
        // C++ library, which this process may have; the path is a string that ends in zero.
        let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "cannot load {library:?}");
        let symbol = |name: &CStr| {
            // SAFETY: an open library and a string that ends in zero.
            let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
            assert!(!found.is_null(), "{name:?} is missing");
            found
        };
        // SAFETY: so it is declared in boost.cpp.
        let size: extern "C" fn() -> u64 = unsafe { std::mem::transmute(symbol(c"boost_size")) };
        // SAFETY: as above.
        let create: unsafe extern "C" fn(*mut c_void) =
            unsafe { std::mem::transmute(symbol(c"boost_create")) };
        let increments = symbol(c"boost_increments");
        // SAFETY: as above; an AtomicU32 is as wide as its C++ namesake.
        let increments = unsafe { std::mem::transmute::<*mut c_void, Increments>(increments) };
        let value = symbol(c"boost_value");
        // SAFETY: as above.
        let value = unsafe { std::mem::transmute::<*mut c_void, Value>(value) };
        let place = arena.take_bytes(usize::try_from(size()).expect("small")).cast();
        // SAFETY: as many bytes as it asks for, aligned, and nobody else's.
        unsafe { create(place) };
        Some(Self { place, increments, value })
    }

    pub(crate) fn increments(&self, count: u64, stop: &AtomicU32) -> u64 {
        // SAFETY: made by `create`; `stop` lives for the call.
        unsafe { (self.increments)(self.place, count, stop) }
    }

    pub(crate) fn value(&self) -> u64 {
        // SAFETY: made by `create`.
        unsafe { (self.value)(self.place) }
    }
}

/// Compiles boost.cpp beside this program; where the library is.
fn build() -> Result<CString, String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/sync/boost.cpp");
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let library = this.with_extension("boost.so");
    let compiled = Command::new("g++")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .output()
        .map_err(|e| format!("no g++: {e}"))?;
    if compiled.status.success() {
        return CString::new(library.into_os_string().into_encoded_bytes())
            .map_err(|e| e.to_string());
    }
    let errors = String::from_utf8_lossy(&compiled.stderr);
    let first = errors.lines().find(|l| l.contains("error")).unwrap_or("g++ failed");
    Err(first.to_owned())
}
