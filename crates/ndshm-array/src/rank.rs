//! The rank that this process has in a group of workers, for reports.

use std::sync::atomic::{AtomicU64, Ordering};

static RANK: AtomicU64 = AtomicU64::new(0);

/// Says which rank this process has: memberships of segments that it opens from now on carry it,
/// so that errors elsewhere can name it. For launchers, who call it once, before anything is opened.
///
/// ```
/// use ndshm_array::{ClaimError, SharedArray1};
///
/// ndshm_array::set_rank(3);
/// let a = SharedArray1::<f64>::zeros(4)?;
/// # ndshm_testkit::panic_holding(|| a.write());
/// // ... a worker fails while it holds the array ...
/// match a.read() {
///     Err(ClaimError::Poisoned(p)) => assert_eq!(p.parts()[0].member.rank, Some(3)),
///     _ => unreachable!(),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_rank(rank: u32) {
    RANK.store(u64::from(rank) + 1, Ordering::Relaxed);
}

pub(crate) fn current() -> Option<u32> {
    u32::try_from(RANK.load(Ordering::Relaxed).checked_sub(1)?).ok()
}
