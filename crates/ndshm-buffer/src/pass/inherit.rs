//! To a program that is started: it inherits the descriptor, and finds its number in the environment.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Command;

use super::ticket::{self, BadTicket, Ticket};
use super::{Outgoing, can_travel, sys};
use crate::buffer::SharedBuffer;
use crate::error::{InheritError, PassError};
use crate::name;
use crate::open;
use crate::operations::untyped;
use crate::options::BufferOptions;

/// What stands before the key in the name of the environment variable.
const PREFIX: &str = "NDSHM_FD_";

impl SharedBuffer {
    /// Has a program that `command` starts inherit the segment, which takes it with [`BufferOptions::inherit`] and the
    /// same key. Works without a name and without /proc, and for a program that runs as another user.
    ///
    /// The key is written as a [name](BufferOptions::create) is. The program gets the environment variable `NDSHM_FD_` +
    /// key, and a descriptor, open for writing only if this buffer is (what [`send_to`](Self::send_to) says of that holds
    /// here). The segment counts as in use while `command` lives, and as long as the program does, as the descriptor stays
    /// open there.
    ///
    /// # Errors
    ///
    /// [`PassError`]: the key is bad, the process has no descriptor left, or the segment is of the portable backend.
    ///
    /// ```
    /// use std::process::Command;
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "test -n \"$NDSHM_FD_frames\""]);
    /// buffer.pass_to(&mut command, "frames")?;
    /// assert!(command.status()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pass_to(&self, command: &mut Command, key: &str) -> Result<(), PassError> {
        name::check(key)?;
        can_travel(self)?;
        let failed = |source| PassError::Io { segment: self.describe(), source };
        let outgoing = Outgoing::of(self).map_err(failed)?;
        let number = sys::let_inherit(command, outgoing.as_fd()).map_err(failed)?;
        let mut value = format!("{number} ").into_bytes();
        value.extend(Ticket::of(self).to_bytes());
        command.env(format!("{PREFIX}{key}"), OsString::from_vec(value));
        Ok(())
    }
}

impl BufferOptions {
    /// Takes the segment that this program inherited under that key from the one that
    /// [passed](SharedBuffer::pass_to) it, as these options say: read-only, guarded, of another user.
    ///
    /// It is checked as where a name is opened; also that it is the very segment which was passed. Programs started from
    /// here do not inherit it, unless it is passed on. May be called again, and gives the same mapping.
    ///
    /// # Errors
    ///
    /// [`InheritError`]: nothing was passed under that key, or what was is not there, or is refused.
    ///
    /// ```
    /// use ndshm_buffer::{InheritError, SharedBuffer};
    ///
    /// let nothing = SharedBuffer::options().inherit("frames").unwrap_err();
    /// assert!(matches!(nothing, InheritError::NotPassed { .. }));
    /// ```
    pub fn inherit(&self, key: &str) -> Result<SharedBuffer, InheritError> {
        Ok(untyped(inherited(self, key)?)?)
    }

    /// As [`inherit`](Self::inherit), of a segment that may hold more than bytes.
    ///
    /// # Errors
    ///
    /// As [`inherit`](Self::inherit).
    ///
    /// # Safety
    ///
    /// As for [`open_typed`](Self::open_typed).
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// // SAFETY: there is none.
    /// assert!(unsafe { SharedBuffer::options().inherit_typed("frames") }.is_err());
    /// ```
    pub unsafe fn inherit_typed(&self, key: &str) -> Result<SharedBuffer, InheritError> {
        inherited(self, key)
    }
}

fn inherited(options: &BufferOptions, key: &str) -> Result<SharedBuffer, InheritError> {
    name::check(key)?;
    let variable = format!("{PREFIX}{key}");
    let not_passed = || InheritError::NotPassed { variable: variable.clone() };
    let garbled = || InheritError::Garbled { variable: variable.clone() };
    let value = std::env::var_os(&variable).ok_or_else(not_passed)?;
    let value = value.as_bytes();
    let end = value.iter().position(|&byte| byte == b' ').ok_or_else(garbled)?;
    let number = str::from_utf8(&value[..end]).ok().and_then(|number| number.parse().ok());
    let number = number.filter(|&number| number >= 0).ok_or_else(garbled)?;
    let ticket = Ticket::parse(&value[end + 1..]).map_err(|bad| match bad {
        BadTicket::Version(found) => InheritError::Version { found, known: ticket::VERSION },
        BadTicket::Garbled => garbled(),
    })?;
    // The number may stand for anything by now: it is looked at through a duplicate, which is this call's own.
    let fd = sys::duplicate(number).map_err(|source| {
        let variable = variable.clone();
        InheritError::Closed { variable, number, source }
    })?;
    let buffer = open::received(options, fd.as_fd(), ticket)?;
    sys::keep_from_programs(number);
    Ok(buffer)
}
