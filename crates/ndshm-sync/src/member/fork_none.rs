//! Where there is no fork: nothing to keep from happening, nothing to close.

use std::io;

use crate::sys::Listed;

/// The same as where there is one, and empty.
#[derive(Debug)]
pub(super) struct ForkLock(());

#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "what they are elsewhere")]
impl ForkLock {
    pub(super) fn acquire() -> Self {
        Self(())
    }

    pub(super) fn watch_forks(&mut self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn close_inherited(&mut self) {}

    pub(super) fn add(&mut self, _: Listed) {}

    pub(super) fn remove(&mut self, _: Listed) -> bool {
        true
    }
}
