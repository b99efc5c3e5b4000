//! Waiting for what another process does.

use std::time::{Duration, Instant};

/// What nothing here may exceed, on however busy a machine.
const FAR_TOO_LONG: Duration = Duration::from_secs(10);

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

/// What `f` returns, which takes at least `least`, and not for ever.
///
/// # Panics
///
/// When it took less, or far more.
pub fn takes<R>(least: Duration, f: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = f();
    let took = start.elapsed();
    assert!(took >= least, "{took:?} instead of {least:?}");
    assert!(took < least + FAR_TOO_LONG, "{took:?} instead of {least:?}");
    result
}
