//! What stands beside a primitive of what lies there: of this, only whether it is ready.

use crate::atomic::{AtomicU64, Ordering};

/// As in production, without the kind.
#[derive(Debug)]
pub(crate) struct Place(AtomicU64);

impl Place {
    const READY: u64 = 1 << 63;

    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::READY != 0
    }

    pub(crate) fn set_ready(&self) {
        self.0.fetch_or(Self::READY, Ordering::Release);
    }
}
