//! The primitives, one a module: what their players do, and what the survivor checks.

mod barrier;
mod condvar;
mod exclusive;
mod mutex;
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
    barrier::BARRIER,
];
