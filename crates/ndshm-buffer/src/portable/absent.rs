//! A build without the portable backend: nobody has anything of it.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use crate::buffer::SharedBuffer;
use crate::error::{CreateError, OpenError, PersistError, RemoveError};
use crate::lacking::Lacking;
use crate::open::Expected;
use crate::options::BufferOptions;
use crate::os_id::OsId;

const ABSENT: Lacking = Lacking::portable(
    "is no part of this build",
    "enable the cargo feature `portable` of ndshm-buffer",
);

#[derive(Debug)]
pub(crate) enum Mapped {}

#[derive(Debug)]
pub(crate) enum Created {}

pub(crate) fn create<E: From<CreateError>>(
    _: &BufferOptions,
    name: &str,
    _: usize,
    _: Option<impl FnOnce(&mut [u8]) -> Result<(), E>>,
) -> Result<SharedBuffer, E> {
    Err(CreateError::from(ABSENT.of(name)).into())
}

pub(crate) fn open(
    _: &BufferOptions,
    os_id: OsId,
    _: Option<Expected>,
) -> Result<SharedBuffer, OpenError> {
    Err(ABSENT.of(os_id.as_str()).into())
}

pub(crate) fn remove(_: &BufferOptions, os_id: &OsId) -> Result<(), RemoveError> {
    Err(ABSENT.of(os_id.as_str()).into())
}

pub(crate) fn unlink(mapped: &Mapped, _: BorrowedFd<'_>) -> Result<bool, RemoveError> {
    match *mapped {}
}

pub(crate) fn persist(mapped: &Mapped, _: BorrowedFd<'_>) -> Result<(), PersistError> {
    match *mapped {}
}

impl Mapped {
    pub(crate) fn start(&self) -> NonNull<u8> {
        match *self {}
    }

    pub(crate) fn len(&self) -> usize {
        match *self {}
    }

    pub(crate) fn file_len(&self) -> usize {
        match *self {}
    }

    pub(crate) fn os_id(&self) -> &OsId {
        match *self {}
    }
}

impl Created {
    pub(crate) fn remove_unkept(&self) {
        match *self {}
    }
}
