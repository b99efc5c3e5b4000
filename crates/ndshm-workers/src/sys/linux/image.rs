//! The running executable, and where its code lies.

use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use libc::{c_int, c_void, dl_phdr_info, size_t};
use serde::{Deserialize, Serialize};

/// What `execve` is given: the running executable, even when its file was replaced or removed.
pub(crate) const THIS_EXECUTABLE: &str = "/proc/self/exe";

/// Tells one executable file from another, and from a later build of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExecutableId {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
}

impl ExecutableId {
    /// The identity of the executable that this process runs.
    pub(crate) fn current() -> io::Result<Self> {
        let meta = std::fs::metadata(THIS_EXECUTABLE)?;
        Ok(Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: meta.mtime(),
            mtime_nsec: meta.mtime_nsec(),
        })
    }
}

/// Where the main executable was loaded, and which of its addresses hold code.
///
/// # Invariants
///
/// 1. `code` lists the executable `PT_LOAD` segments of the main program, in absolute addresses.
///    The main program is never unloaded, so they stay mapped while the process lives.
#[derive(Debug, Default)]
pub(crate) struct Image {
    base: usize,
    code: Vec<Range<usize>>,
}

impl Image {
    /// The main executable of this process.
    pub(crate) fn current() -> Self {
        let mut image = Self::default();
        let data: *mut Self = &raw mut image;
        // SAFETY: `first_object` has the signature that dl_iterate_phdr calls, and treats `data`
        // as the `Image` it is; `image` outlives the call, and nothing else touches it meanwhile.
        unsafe { libc::dl_iterate_phdr(Some(first_object), data.cast()) };
        image
    }

    /// The position of a function in the executable: the same number in every process that runs it.
    /// `None` for code that lies elsewhere, as in a shared library.
    pub(crate) fn position(&self, function: *const ()) -> Option<u64> {
        let address = function.addr();
        self.holds(address).then(|| address.wrapping_sub(self.base) as u64)
    }

    /// The address in this process of what [`position`](Self::position) named.
    pub(crate) fn address(&self, position: u64) -> Option<*const ()> {
        let address = self.base.wrapping_add(usize::try_from(position).ok()?);
        self.holds(address).then(|| std::ptr::with_exposed_provenance(address))
    }

    fn holds(&self, address: usize) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }
}

/// Records the first object that dl_iterate_phdr reports, which is the main program, and stops.
extern "C" fn first_object(info: *mut dl_phdr_info, _size: size_t, data: *mut c_void) -> c_int {
    // SAFETY: `data` is the exclusive pointer to the `Image` that `Image::current` handed over.
    let image = unsafe { &mut *data.cast::<Image>() };
    // SAFETY: the dynamic linker passes a valid `dl_phdr_info` that lives for this call.
    let info = unsafe { &*info };
    image.base = info.dlpi_addr as usize;
    // SAFETY: `dlpi_phdr` points to `dlpi_phnum` program headers, mapped as long as the object is.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    for header in headers {
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0 {
            let start = image.base.wrapping_add(header.p_vaddr as usize);
            image.code.push(start..start.wrapping_add(header.p_memsz as usize));
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_the_executable_is_found_again() {
        let here = a_function_of_the_executable_is_found_again as *const ();
        let position = Image::current().position(here).unwrap();
        assert_eq!(Image::current().address(position), Some(here));
    }

    #[test]
    fn what_is_no_code_of_the_executable_has_no_position() {
        static DATA: u8 = 0;
        let image = Image::current();
        assert_eq!(image.position((&raw const DATA).cast()), None);
        assert_eq!(image.position(libc::getpid as *const ()), None);
        assert_eq!(image.address(u64::MAX / 2), None);
    }
}
