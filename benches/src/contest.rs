//! What is compared.

use std::time::{Duration, Instant};

use crate::target::Promise;

/// A name, and what takes the time for that many operations.
pub type Contender<'a> = (&'static str, Box<dyn FnMut(u64) -> Duration + 'a>);

/// Some who do the same thing, each in its own way; the first is ours.
pub struct Contest<'a> {
    pub(crate) group: String,
    pub(crate) setting: String,
    pub(crate) yardstick: &'static str,
    pub(crate) contenders: Vec<Contender<'a>>,
    pub(crate) promises: Vec<Promise>,
    /// How long a turn is; `None` where one operation is long enough.
    pub(crate) slice: Option<Duration>,
    pub(crate) rounds: usize,
}

impl<'a> Contest<'a> {
    /// Between those, in multiples of the one named `yardstick`: 25 rounds, of turns of 5 ms. The name of a group begins
    /// with its family, up to a comma.
    pub fn new(
        group: impl Into<String>,
        yardstick: &'static str,
        contenders: Vec<Contender<'a>>,
    ) -> Self {
        Self {
            group: group.into(),
            setting: String::new(),
            yardstick,
            contenders,
            promises: Vec::new(),
            slice: Some(Duration::from_millis(5)),
            rounds: 25,
        }
    }

    /// What was promised.
    #[must_use]
    pub fn promising<P: Into<Promise>>(mut self, promises: impl IntoIterator<Item = P>) -> Self {
        self.promises.extend(promises.into_iter().map(Into::into));
        self
    }

    /// Among whom, where, how much.
    #[must_use]
    pub fn setting(mut self, setting: impl Into<String>) -> Self {
        self.setting = setting.into();
        self
    }

    /// That many rounds, of turns that take about so long.
    #[must_use]
    pub const fn turns(mut self, slice: Duration, rounds: usize) -> Self {
        (self.slice, self.rounds) = (Some(slice), rounds);
        self
    }

    /// That many rounds, of one operation each: for what takes a good while.
    #[must_use]
    pub const fn one_by_one(mut self, rounds: usize) -> Self {
        (self.slice, self.rounds) = (None, rounds);
        self
    }

    /// What it is called.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }
}

/// Does it as often as it is asked to.
pub fn timed(mut operation: impl FnMut() + 'static) -> Box<dyn FnMut(u64) -> Duration> {
    Box::new(move |n| {
        let start = Instant::now();
        (0..n).for_each(|_| operation());
        start.elapsed()
    })
}
