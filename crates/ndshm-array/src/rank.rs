//! The rank that this process has in a group of workers, for reports.

use std::sync::atomic::{AtomicU64, Ordering};

static RANK: AtomicU64 = AtomicU64::new(0);

/// Says which rank this process has: memberships of segments that it opens from now on carry it,
/// so that errors elsewhere can name it. For launchers.
///
/// ```
/// ndshm_array::set_rank(3);
/// ```
pub fn set_rank(rank: u32) {
    RANK.store(u64::from(rank) + 1, Ordering::Relaxed);
}

pub(crate) fn current() -> Option<u32> {
    u32::try_from(RANK.load(Ordering::Relaxed).checked_sub(1)?).ok()
}
