//! A backend that this build does not have: nobody has one.

use std::io;
use std::marker::PhantomData;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::member::error::JoinError;
use crate::member::fork::ForkLock;
use crate::member::options::JoinOptions;
use crate::member::table::Table;
use crate::region::Region;
use crate::sys::Listed;

#[derive(Debug)]
enum Never {}

#[derive(Debug)]
pub(in crate::member) struct Plan<'a>(Never, PhantomData<&'a ()>);

#[derive(Debug)]
pub(in crate::member) struct Seat(Never);

impl<'a> Plan<'a> {
    pub(in crate::member) fn new(options: &JoinOptions, _: &Region<'a>) -> Result<Self, JoinError> {
        Err(JoinError::NotCompiled { asked: options.backend.kind() })
    }

    pub(in crate::member) fn take(self, _: &Table, _: &ForkLock) -> Result<(u16, Seat), JoinError> {
        match self.0 {}
    }
}

impl Seat {
    pub(in crate::member) fn listed(&self) -> Listed {
        match self.0 {}
    }

    /// Of the native backend alone.
    #[allow(dead_code, reason = "not called where this stands for the portable one")]
    pub(in crate::member) fn leave(self, _: bool) {
        match self.0 {}
    }

    pub(in crate::member) fn is_held(&self, _: u16) -> io::Result<bool> {
        match self.0 {}
    }

    pub(in crate::member) fn register_for_fences(&self) -> bool {
        match self.0 {}
    }

    pub(in crate::member) fn heavy_fence(&self) -> bool {
        match self.0 {}
    }

    pub(in crate::member) fn sleep(&self, _: &AtomicU32, _: u32, _: Duration) {
        match self.0 {}
    }

    pub(in crate::member) fn wake(&self, _: &AtomicU32, _: u32) -> usize {
        match self.0 {}
    }
}
