//! How anything here waits: spin or yield a little, then sleep in bounded slices, until a deadline.
//!
//! Every primitive uses this one policy. Spinning and yielding are bounded by elapsed time, never
//! by a count alone, because what a pause or a yield costs differs a hundredfold between machines.
//!
//! Whether to spin or to yield is first a guess, by the number of parties and of processors, and then
//! what a thread learns: how long a yield takes tells whether it has its processor to itself (spin:
//! the other one is elsewhere), shares it with those it waits for (yield again, and at once next time),
//! or with work of others that keeps it (do not yield for some time, sleep instead).

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sys;

/// The longest that anybody sleeps without looking again: whether the word changed, whether the
/// owner lives. It bounds what a killed waker or a killed owner can cost to others.
pub(crate) const SLICE: Duration = Duration::from_millis(40);

/// Spinning for less than a sleeping processor takes to wake (66-87 µs measured on a virtual
/// machine) is the worst choice of all: it pays for both.
const SPIN: Duration = Duration::from_micros(100);

/// A yield that took no longer than this found nobody else on the processor.
const QUICK_YIELD: Duration = Duration::from_nanos(800);

/// A yield that took longer than this found other work on the processor: sleep, and leave it to it.
const SLOW_YIELD: Duration = Duration::from_micros(20);

/// A yield that took longer than this lost the processor for somebody's whole turn.
const LOST_TURN: Duration = Duration::from_micros(500);

/// For so many times as long as a lost turn took nobody yields again: then at most one part in so
/// many of the time is lost to such yields.
const YIELD_PAUSE: u32 = 16;

/// No turn lasts longer: the process was stopped meanwhile, or its machine.
const LONGEST_TURN: Duration = Duration::from_millis(100);

/// The longest spin beside other work: below a slow yield, or two who wait for each other on one
/// processor would keep each other from yielding.
const CROWDED_SPIN: Duration = Duration::from_micros(10);

/// How long one who waits for an answer spins before it tries whether a yield helps: many times what
/// an answer from another processor takes, and not much beside a sleep.
const BURST: Duration = Duration::from_micros(5);

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

    /// Whether nothing is to be waited for at all.
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
    how: How,
    /// Whether each of those who take part can have a processor.
    fits: bool,
    /// Close looks taken, or pauses in the present gap.
    count: u32,
    since: Option<Instant>,
    burst: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Gaps twice as long each time: many contend for one word.
    BackOff,
    /// Short gaps: one waits for an answer.
    Close,
    /// Give the processor to others: those waited for have none of their own.
    Yield,
    /// Do not spin at all: somebody wants an answer now.
    Not,
}

/// What a thread has learned of the processor that it is on.
struct Here {
    /// Those who were waited for last ran when it yielded.
    shared: Cell<bool>,
    /// A yield would take long until then.
    crowded: Cell<Option<Instant>>,
}

thread_local! {
    static HERE: Here = const { Here { shared: Cell::new(false), crowded: Cell::new(None) } };
}

impl Spin {
    /// For a lock: exponential back-off while there is a second processor to release it.
    pub(crate) fn for_lock() -> Self {
        let fits = processors() > 1;
        Self::with(if fits { How::BackOff } else { How::Yield }, fits)
    }

    /// For a meeting of `parties`: spin when each can have a processor, yield when not.
    pub(crate) fn for_parties(parties: usize) -> Self {
        let fits = parties <= processors();
        let spin = fits && !HERE.with(|here| here.shared.get());
        Self::with(if spin { How::Close } else { How::Yield }, fits)
    }

    /// For who will not wait.
    pub(crate) fn none() -> Self {
        Self::with(How::Not, false)
    }

    fn with(how: How, fits: bool) -> Self {
        Self { how, fits, count: 0, since: None, burst: None }
    }

    /// Passes a little time; `false` when it is time to sleep instead.
    pub(crate) fn pass(&mut self) -> bool {
        match self.how {
            How::BackOff => self.back_off(),
            How::Close => self.look_closely(),
            How::Yield => self.yield_once(Instant::now()),
            How::Not => false,
        }
    }

    fn back_off(&mut self) -> bool {
        let pauses = (self.count * 2).clamp(1, MOST_PAUSES);
        self.count = pauses;
        pause(pauses);
        // The clock is read only once the cheap rounds are used up.
        pauses < MOST_PAUSES || {
            let now = Instant::now();
            now - *self.since.get_or_insert(now) < SPIN
        }
    }

    fn look_closely(&mut self) -> bool {
        if self.count < CLOSE_LOOKS {
            self.count += 1;
            pause(1);
            return true;
        }
        pause(8);
        let now = Instant::now();
        let spinning = now - *self.since.get_or_insert(now);
        if now - *self.burst.get_or_insert(now) < BURST {
            spinning < SPIN
        } else if HERE.with(|here| here.is_crowded(now)) {
            spinning < CROWDED_SPIN
        } else {
            self.yield_once(now)
        }
    }

    fn yield_once(&mut self, before: Instant) -> bool {
        let since = *self.since.get_or_insert(before);
        if HERE.with(|here| here.is_crowded(before)) {
            // Neither a yield nor, where those waited for are on this processor too, a spin.
            return false;
        }
        std::thread::yield_now();
        let after = Instant::now();
        self.learn(after - before, after) && after - since < SPIN
    }

    /// From how long a yield took; whether to look again before it sleeps.
    fn learn(&mut self, took: Duration, after: Instant) -> bool {
        if took > LOST_TURN {
            let pause = took.min(LONGEST_TURN) * YIELD_PAUSE;
            HERE.with(|here| here.crowded.set(Some(after + pause)));
        }
        if took > SLOW_YIELD {
            return false;
        }
        let alone = took <= QUICK_YIELD && self.fits;
        self.how = if alone { How::Close } else { How::Yield };
        self.burst = Some(after);
        true
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        if self.fits && self.how != How::BackOff {
            HERE.with(|here| here.shared.set(self.how == How::Yield));
        }
    }
}

impl Here {
    fn is_crowded(&self, now: Instant) -> bool {
        let until = self.crowded.get();
        until.is_some_and(|until| {
            now < until || {
                self.crowded.set(None);
                false
            }
        })
    }
}

fn pause(times: u32) {
    for _ in 0..times {
        std::hint::spin_loop();
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
        let shared = Spin::with(How::Yield, true);
        for mut spin in [Spin::for_lock(), Spin::for_parties(1), Spin::for_parties(10_000), shared]
        {
            let mut rounds = 0_u64;
            while spin.pass() {
                rounds += 1;
                assert!(rounds < 100_000_000, "a spin that never gives up");
            }
        }
    }

    #[test]
    fn how_long_a_yield_took_tells_who_else_is_there() {
        let now = Instant::now();
        let shared = || HERE.with(|here| here.shared.get());
        let mut spin = Spin::with(How::Close, true);
        assert!(spin.learn(Duration::from_micros(3), now));
        assert_eq!(spin.how, How::Yield, "one that is waited for ran");
        drop(spin);
        assert!(shared());
        assert_eq!(Spin::for_parties(1).how, How::Yield, "the next begins with what helped");

        let mut spin = Spin::with(How::Yield, true);
        assert!(spin.learn(Duration::from_nanos(300), now));
        assert_eq!(spin.how, How::Close, "nobody ran");
        drop(spin);
        assert!(!shared());

        let mut spin = Spin::with(How::Close, true);
        assert!(!spin.learn(Duration::from_micros(100), now), "somebody ran for long");
        assert!(!HERE.with(|here| here.is_crowded(now)));
        assert!(!spin.learn(Duration::from_millis(3), now), "for a whole turn");
        assert!(HERE.with(|here| here.is_crowded(now + Duration::from_millis(40))));
    }

    #[test]
    fn those_who_do_not_fit_never_spin() {
        for _ in 0..1000 {
            let mut spin = Spin::with(How::Yield, false);
            while spin.pass() {
                assert_eq!(spin.how, How::Yield);
            }
        }
    }

    #[test]
    fn a_lost_turn_is_paid_for_with_less_yielding() {
        let now = Instant::now();
        HERE.with(|here| here.crowded.set(Some(now + Duration::from_secs(100))));
        let mut sharing = Spin::with(How::Yield, true);
        assert!(!sharing.pass(), "sleeps at once");
        let mut apart = Spin::with(How::Close, true);
        while apart.pass() {
            assert_eq!(apart.how, How::Close, "a yield beside work that keeps the processor");
        }
        assert!(apart.since.is_some_and(|since| since.elapsed() < SPIN * 100));
        HERE.with(|here| {
            assert!(here.is_crowded(now));
            assert!(!here.is_crowded(now + Duration::from_secs(101)), "for some time only");
            assert!(!here.is_crowded(now));
        });
    }
}
