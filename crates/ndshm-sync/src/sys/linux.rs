//! Linux alone: shared futexes, byte-range locks of open file descriptions, a page that a fork wipes.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::thread::{MembarrierCommand, futex, membarrier};

/// Where the members' byte locks begin: beyond any byte that a file could hold in practice, and
/// below the largest `off_t`, so that nobody's ordinary record locks meet them.
pub(crate) const LOCKS_START: i64 = 1 << 62;

/// Sleeps while `*word == expected`, for at most `timeout`. Returns early on a wake-up, a signal
/// or a changed word; the caller looks again in each case, so the reason is not reported.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = futex::Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // No PRIVATE flag: the waker is another process. EINTR, EAGAIN and ETIMEDOUT all mean "look".
    let _ = futex::wait(word, futex::Flags::empty(), expected, Some(&timeout));
}

/// Wakes at most `count` of those who sleep on `word`, in any process; how many it were.
pub(crate) fn futex_wake(word: &AtomicU32, count: u32) -> usize {
    futex::wake(word, futex::Flags::empty(), count).unwrap_or(0)
}

/// Asks that [`fence_all`] of any process reach this one too; whether it will.
pub(crate) fn register_for_fences() -> bool {
    membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// A full memory barrier in every thread, of every process that registered, that runs at this
/// moment; `false` where the kernel cannot (before Linux 4.16, or forbidden by a filter).
pub(crate) fn fence_all() -> bool {
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}

/// Opens the file behind `fd` once more, as an open file description of its own.
pub(crate) fn reopen(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens the file of that name, as an open file description of its own.
pub(crate) fn open(name: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(name, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?)
}

/// Takes the byte of `slot` for the open file description behind `fd`; `false` when another
/// description holds it. Never waits.
pub(crate) fn try_lock_slot(fd: BorrowedFd<'_>, slot: u16) -> io::Result<bool> {
    try_lock(fd, libc::F_OFD_SETLK, slot)
}

/// Takes the byte of `slot` for this process, unless it or another process has it. Never waits.
/// Closing any descriptor of the file in this process drops the lock.
pub(crate) fn try_lock_slot_for_process(fd: BorrowedFd<'_>, slot: u16) -> io::Result<bool> {
    // Locks of one process do not conflict with each other, so its own are looked for first: of
    // whichever process they are, they are not of the description that asks here.
    Ok(!slot_is_locked(fd, slot)? && try_lock(fd, libc::F_SETLK, slot)?)
}

/// Gives back what [`try_lock_slot_for_process`] took.
pub(crate) fn unlock_slot_of_process(fd: BorrowedFd<'_>, slot: u16) -> io::Result<()> {
    let mut lock = byte_lock(slot);
    lock.l_type = libc::F_UNLCK as libc::c_short;
    fcntl_lock(fd, libc::F_SETLK, &mut lock)
}

fn try_lock(fd: BorrowedFd<'_>, command: c_int, slot: u16) -> io::Result<bool> {
    let mut lock = byte_lock(slot);
    match fcntl_lock(fd, command, &mut lock) {
        Ok(()) => Ok(true),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether an open file description other than that behind `fd` holds the byte of `slot`.
pub(crate) fn slot_is_locked(fd: BorrowedFd<'_>, slot: u16) -> io::Result<bool> {
    let mut lock = byte_lock(slot);
    fcntl_lock(fd, libc::F_OFD_GETLK, &mut lock)?;
    Ok(c_int::from(lock.l_type) != libc::F_UNLCK)
}

fn byte_lock(slot: u16) -> libc::flock {
    // `l_pid` must be zero for the OFD commands; so must what padding there is.
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: LOCKS_START + i64::from(slot),
        l_len: 1,
        l_pid: 0,
    }
}

fn fcntl_lock(fd: BorrowedFd<'_>, command: c_int, lock: &mut libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: `fd` is open for as long as it is borrowed, and `lock` is an exclusive
        // reference to the `flock` that these commands read and write.
        let r = unsafe { libc::fcntl(fd.as_raw_fd(), command, ptr::from_mut(lock)) };
        if r == 0 {
            return Ok(());
        }
        let e = io::Error::last_os_error();
        if e.kind() != io::ErrorKind::Interrupted {
            return Err(e);
        }
    }
}

/// A word on a page that reads as zero in every forked child, however it was forked. The page
/// lives as long as the process.
pub(crate) fn wiped_on_fork() -> io::Result<&'static AtomicU64> {
    let page = rustix::param::page_size();
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of ours.
    let base = unsafe {
        rustix::mm::mmap_anonymous(
            ptr::null_mut(),
            page,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )
    }?;
    // SAFETY: `base` is the page just mapped, and nothing refers to it yet; the advice changes
    // only what a forked child finds there.
    let advised = unsafe { rustix::mm::madvise(base, page, Advice::LinuxWipeOnFork) };
    if let Err(e) = advised {
        // SAFETY: `base` is the page just mapped, and nothing refers to it.
        let _ = unsafe { rustix::mm::munmap(base, page) };
        return Err(e.into());
    }
    // SAFETY: the page is mapped, zeroed (a valid `AtomicU64`), aligned, and never unmapped after
    // this point, so the reference may live for ever.
    Ok(unsafe { &*base.cast::<AtomicU64>() })
}
