//! Segments that travel as descriptors: over a Unix socket, or to a program that is started.
//!
//! The descriptor gets whoever has it to the bytes, whatever the name leads to by now and where there is no /proc. Beside
//! it travels a [`Ticket`], which says what it should be, and is checked on receipt.

mod inherit;
mod socket;
mod ticket;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::buffer::SharedBuffer;
use crate::error::Unsupported;
use crate::lacking;
use crate::sys::{self, Lock, PRESENCE};

pub(crate) use ticket::Ticket;

/// Refuses a buffer that has to travel otherwise.
fn can_travel(buffer: &SharedBuffer) -> Result<(), Unsupported> {
    match buffer.os_id() {
        None => Ok(()),
        Some(os_id) => Err(lacking::PASSING.of(os_id)),
    }
}

/// What is given away of a buffer.
enum Outgoing<'a> {
    Mapped(BorrowedFd<'a>),
    Own(OwnedFd),
}

impl<'a> Outgoing<'a> {
    /// A descriptor through which no one can write if this process cannot.
    fn of(buffer: &'a SharedBuffer) -> io::Result<Self> {
        if !buffer.is_read_only() || !sys::is_writable(buffer.as_fd())? {
            return Ok(Self::Mapped(buffer.as_fd()));
        }
        // It came as a duplicate of a writable one, there being no /proc then.
        let own = sys::reopen(buffer.as_fd(), false)?;
        // The segment is in use while this is under way, as it is with the one that is mapped.
        sys::lock(own.as_fd(), PRESENCE, Lock::Shared)?;
        Ok(Self::Own(own))
    }
}

impl AsFd for Outgoing<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Mapped(fd) => *fd,
            Self::Own(fd) => fd.as_fd(),
        }
    }
}
