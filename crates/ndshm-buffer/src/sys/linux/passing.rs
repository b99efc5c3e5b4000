//! Descriptors on their way to other processes.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::cmsg_space;
use rustix::io::FdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, send as send_bytes, sendmsg,
};

use super::again;

/// Numbers below are standard input, output and error, which `Command` has its own plans for.
const FIRST_FREE: RawFd = 3;

/// Sends bytes, with a descriptor at the first of them.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fd: BorrowedFd<'_>) -> io::Result<()> {
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut sent = again(|| {
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
    })?;
    while sent < bytes.len() {
        sent += again(|| send_bytes(socket, &bytes[sent..], SendFlags::NOSIGNAL))?;
    }
    Ok(())
}

/// Receives at most so many bytes, and the descriptors that come with them; 0 at the end.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    // More than the one that belongs there, so that others are seen, and closed.
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = again(|| {
        let into = &mut [IoSliceMut::new(bytes)];
        recvmsg(socket, into, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((received.bytes, fds))
}

/// Has the program that `command` starts inherit a duplicate of `fd`, which lives as long as `command`; its number.
pub(crate) fn let_inherit(command: &mut Command, fd: BorrowedFd<'_>) -> io::Result<RawFd> {
    let own = rustix::io::fcntl_dupfd_cloexec(fd, FIRST_FREE)?;
    let number = own.as_raw_fd();
    // In the child alone, so that no program that another thread starts has it as well.
    let inherit = move || Ok(rustix::io::fcntl_setfd(&own, FdFlags::empty())?);
    // SAFETY: between fork and exec it makes one system call, and nothing that a handler of signals might not do.
    unsafe { command.pre_exec(inherit) };
    Ok(number)
}

/// A duplicate of a descriptor that is known by its number alone, if there is one.
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: whatever the number stands for, a duplicate changes nothing of it.
    let own = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, FIRST_FREE) };
    if own < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel made it just now, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(own) })
}

/// Has programs that are started from now on not inherit that number, which is known to be a segment.
pub(crate) fn keep_from_programs(number: RawFd) {
    // SAFETY: sets a flag of the number, which has no effect within this process.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
}
