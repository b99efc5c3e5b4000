//! Deadlines that pass when the model says so, and no spinning.

use std::time::{Duration, Instant};

use crate::world;

/// As in production; only its being the longest matters.
pub(crate) const SLICE: Duration = Duration::from_millis(40);

/// A sleep that ends when the model's time passes.
const TIMED: Duration = Duration::from_millis(1);

/// Whether a sleep of that length ends when time passes.
pub(crate) fn is_timed(slice: Duration) -> bool {
    slice < SLICE
}

/// As in production.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Never,
    /// At the moment at which the model's time passes, whatever the clock says.
    At(#[allow(dead_code, reason = "the model has a clock of its own")] Instant),
    Passed,
}

impl Deadline {
    pub(crate) fn after(_timeout: Duration) -> Self {
        Self::At(Instant::now())
    }

    pub(crate) const fn is_passed(self) -> bool {
        matches!(self, Self::Passed)
    }

    pub(crate) fn slice(self) -> Option<Duration> {
        match self {
            Self::Never => Some(SLICE),
            Self::At(_) => (!world::current().time_has_passed()).then_some(TIMED),
            Self::Passed => None,
        }
    }
}

/// Spinning is looking again, which the scheduler of the model does by itself.
#[derive(Debug)]
pub(crate) struct Spin;

impl Spin {
    pub(crate) fn for_lock() -> Self {
        Self
    }

    pub(crate) fn for_parties(_parties: usize) -> Self {
        Self
    }

    pub(crate) fn none() -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "as in production")]
    pub(crate) fn pass(&mut self) -> bool {
        false
    }
}
