//! The primitives, one a module: what their players do, and what the survivor checks.

mod barrier;
mod channel;
mod condvar;
mod exclusive;
mod latch;
mod mutex;
mod once;
mod rwlock;
mod semaphore;
mod seqlock;

use crate::scene::Primitive;

/// All of them.
pub const ALL: &[Primitive] = &[
    mutex::MUTEX,
    rwlock::RWLOCK,
    seqlock::SEQLOCK,
    condvar::CONDVAR,
    semaphore::REPORTING,
    semaphore::RETURNING,
    channel::SIGNAL_SEMAPHORE,
    channel::AUTO_EVENT,
    channel::MANUAL_EVENT,
    channel::EVENT_COUNT,
    once::ONCE_CELL,
    latch::LATCH,
    barrier::BARRIER,
];
