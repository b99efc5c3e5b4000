//! Waiting for what another process does.

use std::time::{Duration, Instant};

/// Looks until `done` says yes: at first without a pause, then with sleeps of a tenth of a
/// millisecond, so that it takes the processor from nobody.
///
/// # Panics
///
/// After `limit`, with `what` it waited for.
pub fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut looks = 0_u32;
    while !done() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        looks = looks.saturating_add(1);
        if looks > 50 {
            std::thread::sleep(Duration::from_micros(100));
        } else {
            std::hint::spin_loop();
        }
    }
}
