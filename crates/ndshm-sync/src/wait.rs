//! How anything here waits: spin a little, then sleep in bounded slices, until a deadline.
//!
//! Every primitive uses this one policy. Spinning and yielding are bounded by elapsed time, never
//! by a count alone, because what a pause or a yield costs differs a hundredfold between machines.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sys;

/// The longest that anybody sleeps without looking again: whether the word changed, whether the
/// owner lives. It bounds what a killed waker or a killed owner can cost to others.
pub(crate) const SLICE: Duration = Duration::from_millis(40);

/// Spinning for less than a sleeping processor takes to wake (66-87 µs measured on a virtual
/// machine) is the worst choice of all: it pays for both.
const SPIN: Duration = Duration::from_micros(100);

/// A yield that took longer than this found other work on the processor: sleep, and leave it to it.
const SLOW_YIELD: Duration = Duration::from_micros(20);

/// Looks that one who waits for an answer takes with a single pause between them: the answer of one
/// that spins on another processor comes within a tenth of a microsecond, and a longer gap, or a
/// look at the clock, would be most of that.
const CLOSE_LOOKS: u32 = 64;

/// Most pauses between two looks at a contended word. Long gaps let the holder keep the cache line
/// while it works; with a fixed small gap the same lock ran at a sixth of the speed.
const MOST_PAUSES: u32 = 1 << 10;

/// A moment on the monotonic clock after which a wait gives up, or never.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Never,
    At(Instant),
    Passed,
}

impl Deadline {
    /// `timeout` from now. One so long that the clock cannot express it is never.
    pub(crate) fn after(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Self::Never, Self::At)
    }

    /// Whether the caller will not wait at all.
    pub(crate) const fn is_passed(self) -> bool {
        matches!(self, Self::Passed)
    }

    /// How long to sleep now: at most a slice; `None` when the deadline has passed.
    pub(crate) fn slice(self) -> Option<Duration> {
        let at = match self {
            Self::Never => return Some(SLICE),
            Self::At(at) => at,
            Self::Passed => return None,
        };
        let left = at.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(SLICE))
    }
}

/// What a contended acquirer does between two looks at the word, before it sleeps.
#[derive(Debug)]
pub(crate) struct Spin {
    pauses: u32,
    since: Option<Instant>,
    gap: Gap,
}

#[derive(Clone, Copy, Debug)]
enum Gap {
    /// Twice as long each time: many contend for one word.
    Growing,
    /// Always short: one waits for an answer. So many looks are close still.
    Short { close: u32 },
    /// Give the processor to others: those waited for have none of their own.
    Yield,
    /// Do not spin at all: somebody wants an answer now.
    None,
}

impl Spin {
    /// For a lock: exponential back-off while there is a second processor to release it.
    pub(crate) fn for_lock() -> Self {
        Self::with(if processors() > 1 { Gap::Growing } else { Gap::Yield })
    }

    /// For a meeting of `parties`: spin when each can have a processor, yield when not.
    pub(crate) fn for_parties(parties: usize) -> Self {
        Self::with(if parties <= processors() {
            Gap::Short { close: CLOSE_LOOKS }
        } else {
            Gap::Yield
        })
    }

    /// For who will not wait.
    pub(crate) fn none() -> Self {
        Self::with(Gap::None)
    }

    fn with(gap: Gap) -> Self {
        Self { pauses: 1, since: None, gap }
    }

    /// Passes a little time; `false` when it is time to sleep instead.
    pub(crate) fn pass(&mut self) -> bool {
        let most = match &mut self.gap {
            Gap::Growing => MOST_PAUSES,
            Gap::Short { close: 0 } => 8,
            Gap::Short { close } => {
                *close -= 1;
                std::hint::spin_loop();
                return true;
            }
            Gap::Yield => return self.yield_once(),
            Gap::None => return false,
        };
        for _ in 0..self.pauses {
            std::hint::spin_loop();
        }
        if self.pauses < most {
            self.pauses *= 2;
            return true;
        }
        // The clock is read only once the cheap rounds are used up.
        let now = Instant::now();
        now - *self.since.get_or_insert(now) < SPIN
    }

    fn yield_once(&mut self) -> bool {
        let before = Instant::now();
        std::thread::yield_now();
        let after = Instant::now();
        let since = *self.since.get_or_insert(before);
        after - before < SLOW_YIELD && after - since < SPIN
    }
}

fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(sys::processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_beyond_the_clock_is_never() {
        assert_eq!(Deadline::after(Duration::MAX).slice(), Some(SLICE));
        assert_eq!(Deadline::Never.slice(), Some(SLICE));
    }

    #[test]
    fn a_deadline_that_is_now_has_passed() {
        assert_eq!(Deadline::after(Duration::ZERO).slice(), None);
        let soon = Deadline::after(Duration::from_millis(5)).slice();
        assert!(soon.is_none_or(|s| s <= Duration::from_millis(5)));
    }

    #[test]
    fn spinning_ends() {
        for mut spin in [Spin::for_lock(), Spin::for_parties(1), Spin::for_parties(10_000)] {
            let mut rounds = 0_u64;
            while spin.pass() {
                rounds += 1;
                assert!(rounds < 100_000_000, "a spin that never gives up");
            }
        }
    }
}
