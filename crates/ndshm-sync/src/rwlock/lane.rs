//! Where a thread begins to look for a cell.

use std::cell::Cell;

use crate::atomic::{AtomicU32, Ordering};

/// The lane of a thread that has none yet.
const NONE: u32 = u32::MAX;

thread_local! {
    static LANE: Cell<u32> = const { Cell::new(NONE) };
}

/// This thread's lane: another for each thread of this process, until [`keep`] changes it. A hint,
/// kept for all locks alike.
#[inline]
pub(super) fn mine() -> u32 {
    let lane = LANE.get();
    if lane == NONE { first() } else { lane }
}

#[cold]
fn first() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Relaxed: a number, which orders nothing.
    let lane = NEXT.fetch_add(1, Ordering::Relaxed) & (NONE >> 1);
    LANE.set(lane);
    lane
}

/// The lane that was free, for the next time.
pub(super) fn keep(lane: u32) {
    LANE.set(lane & (NONE >> 1));
}
