//! The models, each under a name.

mod condvar;
mod event;
mod mutex;
mod once;
mod rwlock;
mod semaphore;
mod seqlock;
mod sleepers;

use crate::explore::Scenario;

/// Every scenario there is.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    let each: [&'static [Scenario]; 9] = [
        sleepers::SCENARIOS,
        mutex::SCENARIOS,
        crate::barrier::SCENARIOS,
        rwlock::SCENARIOS,
        condvar::SCENARIOS,
        semaphore::SCENARIOS,
        event::SCENARIOS,
        once::SCENARIOS,
        seqlock::SCENARIOS,
    ];
    each.into_iter().flatten()
}
