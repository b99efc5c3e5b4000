//! Descriptors: anonymous files, what is inherited, sent and waited for.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The most descriptors that the kernel takes with one message.
const MOST_AT_ONCE: usize = 253;

/// How long descriptors may wait for a place on the way.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Reading from it will not wait from here on.
pub(crate) fn make_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

/// Sends bytes, and with them the descriptors; waits where the socket is full.
pub(crate) fn send(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut batches: Vec<_> = fds.chunks(MOST_AT_ONCE).collect();
    let last = batches.pop().unwrap_or_default();
    if batches.len() >= bytes.len() {
        return Err(io::Error::other("too many segments at once"));
    }
    // Descriptors travel at bytes: all batches but the last at one byte each.
    let (early, mut rest) = bytes.split_at(batches.len());
    for (byte, batch) in early.chunks(1).zip(batches) {
        send_some(socket, byte, batch)?;
    }
    let mut fds = last;
    while !rest.is_empty() {
        rest = &rest[send_some(socket, rest, fds)?..];
        fds = &[];
    }
    Ok(())
}

fn send_some(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_AT_ONCE))];
    let patience = Instant::now() + PATIENCE;
    loop {
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_writable(socket)?,
            // Others have yet to take theirs: a user may have no more of them under way than open.
            Err(Errno::TOOMANYREFS) if Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Receives some bytes, and appends the descriptors that came with them; 0 at the end.
pub(crate) fn receive(
    socket: &UnixStream,
    bytes: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_AT_ONCE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        let lost = "not all descriptors arrived; raise the limit of descriptors (`ulimit -n`)";
        return Err(io::Error::other(lost));
    }
    Ok(received.bytes)
}

/// Waits until something can be written, or never will be.
fn wait_writable(fd: &impl AsFd) -> io::Result<()> {
    retry_on_intr(|| poll(&mut [PollFd::new(fd, PollFlags::OUT)], None))?;
    Ok(())
}

/// Waits until at least one of `fds` is readable or closed, and says which; none when it is `until`.
pub(crate) fn wait_readable(
    fds: &[BorrowedFd<'_>],
    until: Option<Instant>,
) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match poll(&mut polled, left.map(timespec).as_ref()) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_is_not_open_is_refused() {
        // SAFETY: nothing owns descriptor 9999: this process opens a few dozen at most.
        assert!(unsafe { inherited(9999) }.is_err());
    }

    #[test]
    fn more_descriptors_travel_than_fit_one_message() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = anonymous_file("many").unwrap();
        for count in [0, 1, MOST_AT_ONCE, MOST_AT_ONCE + 1, 3 * MOST_AT_ONCE + 7] {
            send(&ours, b"four", &vec![file.as_fd(); count]).unwrap();
            let (mut bytes, mut fds) = (Vec::new(), Vec::new());
            while bytes.len() < 4 {
                let mut piece = [0; 16];
                let n = receive(&theirs, &mut piece, &mut fds).unwrap();
                bytes.extend_from_slice(&piece[..n]);
            }
            assert_eq!((&bytes[..], fds.len()), (&b"four"[..], count));
        }
        let too_many = vec![file.as_fd(); 5 * MOST_AT_ONCE + 1];
        assert!(send(&ours, b"four", &too_many).is_err());
    }
}
