//! Linux: memfd, pidfd, poll, what happens between fork and exec, and where code lies.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use libc::{c_int, c_void, dl_phdr_info, size_t};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, pidfd_send_signal,
    set_parent_process_death_signal,
};
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

/// Whether the kernel marked this process as more privileged than who started it (setuid and kin).
pub(crate) fn is_privileged_start() -> bool {
    // SAFETY: reads a word of the auxiliary vector, which the kernel wrote before the start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether this process has one thread only. `false` when that cannot be told.
pub(crate) fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Ignores SIGPIPE, as Rust's runtime does before `main`: a write to a closed pipe is an error.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is a valid disposition for SIGPIPE and runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// The process that started this one.
pub(crate) fn parent_pid() -> Option<u32> {
    getppid().map(|pid| pid.as_raw_pid() as u32)
}

/// An anonymous file, closed on exec.
pub(crate) fn anonymous_file(name: &str) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC;
    // Some systems insist on the flag that kernels before 6.3 do not know.
    let fd = match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create(name, flags)?,
        made => made?,
    };
    Ok(File::from(fd))
}

/// Takes an inherited descriptor by its number and closes it on exec from here on.
///
/// # Safety
///
/// No other owner of that descriptor exists in this process.
pub(crate) unsafe fn inherited(fd: i32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    if fd <= 2 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: F_GETFD on any number is harmless: it says EBADF when nothing is open there.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, as just seen, and the caller promises that nothing else owns it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let flags = fcntl_getfd(&owned)?;
    fcntl_setfd(&owned, flags | FdFlags::CLOEXEC)?;
    Ok(owned)
}

/// Lets `command`'s process, and no other child, inherit `shared` and `own`, and has it killed when
/// the thread that starts it ends.
pub(crate) fn prepare_child(command: &mut Command, shared: Arc<[OwnedFd]>, own: OwnedFd) {
    let launcher = getpid();
    let before_exec = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The launcher may have died before the line above: then no signal comes.
        if getppid() != Some(launcher) {
            return Err(Errno::SRCH.into());
        }
        for fd in shared.iter().chain([&own]) {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only prctl, getpid, getppid and fcntl are called, all of them
    // async-signal-safe; nothing is allocated or freed and no lock is taken.
    unsafe { command.pre_exec(before_exec) };
}

/// A descriptor that becomes readable when the child has ended.
pub(crate) fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Kills the process that `pidfd` refers to, whatever became of its number.
pub(crate) fn kill(pidfd: &OwnedFd) -> io::Result<()> {
    Ok(pidfd_send_signal(pidfd, Signal::KILL)?)
}

/// Waits until at least one of `fds` is readable or closed, and says which.
pub(crate) fn wait_readable(fds: &[BorrowedFd<'_>]) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    loop {
        match poll(&mut polled, None) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
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

    #[test]
    fn a_descriptor_that_is_not_open_is_refused() {
        // SAFETY: nothing owns descriptor 9999: this process opens a few dozen at most.
        assert!(unsafe { inherited(9999) }.is_err());
    }
}
