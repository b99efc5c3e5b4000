//! Over a Unix socket, with SCM_RIGHTS.
//!
//! A message is the magic, the length of the ticket's text (4 bytes, little-endian) and the text; the descriptor comes
//! with its first byte.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::ticket::{self, BadTicket, LONGEST, Ticket};
use super::{Outgoing, can_travel, sys};
use crate::buffer::SharedBuffer;
use crate::error::{ReceiveError, SendError};
use crate::open;
use crate::operations::untyped;
use crate::options::BufferOptions;

const MAGIC: [u8; 8] = *b"\x7fNDSHP\r\n";

/// The magic and the length.
const HEAD: usize = 12;

impl SharedBuffer {
    /// Sends the segment to whoever has the other end of a Unix socket, which takes it with
    /// [`BufferOptions::receive_from`]; named and anonymous ones alike, to another user too.
    ///
    /// A read-only buffer is sent as a descriptor that cannot be mapped for writing. A process of the same user, or of root,
    /// can still open the file behind it anew, for writing: the page tables keep from accidents; what keeps from others is
    /// the segment's mode.
    ///
    /// The segment is there until it is received, whatever becomes of this buffer meanwhile. Messages of other kinds may
    /// go before and after it over the same socket. Blocks while the socket is full, as writing to it does.
    ///
    /// # Errors
    ///
    /// [`SendError`]: the other end is closed, the socket does not block and is full, the segment is of the portable
    /// backend, and others.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let (here, there) = UnixStream::pair()?;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// buffer.send_to(&here)?;
    ///
    /// // In another process, most often:
    /// let same = SharedBuffer::options().receive_from(&there)?;
    /// assert_eq!(same.id(), buffer.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_to(&self, socket: &UnixStream) -> Result<(), SendError> {
        can_travel(self)?;
        let segment = || self.describe();
        let outgoing = Outgoing::of(self)
            .map_err(|source| SendError::Writable { segment: segment(), source })?;
        let text = Ticket::of(self).to_bytes();
        let mut message = MAGIC.to_vec();
        // A path and some numbers: far less than 4 GiB.
        message.extend((text.len() as u32).to_le_bytes());
        message.extend(text);
        sys::send(socket.as_fd(), &message, outgoing.as_fd())
            .map_err(|source| SendError::Io { segment: segment(), source })
    }
}

impl BufferOptions {
    /// Takes a segment that the other end of a Unix socket [sends](SharedBuffer::send_to), as these options say:
    /// read-only, guarded, of another user.
    ///
    /// What comes is checked as where a name is opened; also that it is the very segment which the sender named. One without
    /// a name has to be sealed, so that nobody can truncate it. It is read-only if the sender's buffer was. Its name is that
    /// of the sender, if it has one, and may lead elsewhere. Waits for the message; nothing beyond its end is read.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`]: the other end was closed, sent something else, or a segment that is refused; what came is closed.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let (here, there) = UnixStream::pair()?;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// buffer.send_to(&here)?;
    /// let reader = SharedBuffer::options().read_only(true).receive_from(&there)?;
    /// assert!(reader.is_read_only());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive_from(&self, socket: &UnixStream) -> Result<SharedBuffer, ReceiveError> {
        Ok(untyped(receive(self, socket)?)?)
    }

    /// As [`receive_from`](Self::receive_from), of a segment that may hold more than bytes.
    ///
    /// # Errors
    ///
    /// As [`receive_from`](Self::receive_from).
    ///
    /// # Safety
    ///
    /// As for [`open_typed`](Self::open_typed).
    ///
    /// ```
    /// # use std::os::unix::net::UnixStream;
    /// # use ndshm_buffer::SharedBuffer;
    /// # let (here, there) = UnixStream::pair()?;
    /// # let buffer = SharedBuffer::anonymous(64)?;
    /// buffer.send_to(&here)?;
    /// // SAFETY: it belongs to no layer, and these are plain bytes.
    /// let same = unsafe { SharedBuffer::options().receive_from_typed(&there)? };
    /// # assert_eq!(same.id(), buffer.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn receive_from_typed(
        &self,
        socket: &UnixStream,
    ) -> Result<SharedBuffer, ReceiveError> {
        receive(self, socket)
    }
}

fn receive(options: &BufferOptions, socket: &UnixStream) -> Result<SharedBuffer, ReceiveError> {
    let (fd, ticket) = message(socket)?;
    Ok(open::received(options, fd.as_fd(), ticket)?)
}

/// The next message.
fn message(mut socket: &UnixStream) -> Result<(OwnedFd, Ticket), ReceiveError> {
    let mut head = [0; HEAD];
    let (read, mut fds) = sys::receive(socket.as_fd(), &mut head).map_err(ReceiveError::Io)?;
    if read == 0 {
        return Err(ReceiveError::Closed);
    }
    // All of the message is read even where the descriptor is not as it should be: the next one begins behind it.
    socket.read_exact(&mut head[read..]).map_err(io_error)?;
    let (magic, len) = head.split_at(MAGIC.len());
    let len = len.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
    if magic != MAGIC || len > LONGEST {
        return Err(ReceiveError::Foreign);
    }
    let mut text = vec![0; len];
    socket.read_exact(&mut text).map_err(io_error)?;
    let ticket = Ticket::parse(&text).map_err(|bad| match bad {
        BadTicket::Version(found) => ReceiveError::Version { found, known: ticket::VERSION },
        BadTicket::Garbled => ReceiveError::Foreign,
    })?;
    match (fds.pop(), fds.is_empty()) {
        (Some(fd), true) => Ok((fd, ticket)),
        (None, _) => Err(ReceiveError::NoDescriptor),
        (Some(_), false) => Err(ReceiveError::Foreign),
    }
}

fn io_error(error: io::Error) -> ReceiveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ReceiveError::Closed,
        _ => ReceiveError::Io(error),
    }
}
