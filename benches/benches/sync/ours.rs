//! This process's handles on what is ours.

use std::sync::OnceLock;

use ndshm_sync::{
    Barrier, Condvar, Event, Members, Mutex, OnDeath, Reset, RwLock, Semaphore, SignalSemaphore,
};

use crate::arena::Arena;
use crate::rwlock::Pair;

/// All that is ours and measured, in the arena's region.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) mutex: Mutex<'static, u64>,
    pub(crate) rwlock: RwLock<'static, Pair>,
    /// For 2, 4 and 8 parties.
    pub(crate) barriers: [Barrier<'static>; 3],
    /// One each way.
    pub(crate) events: [Event<'static>; 2],
    pub(crate) manual: [Event<'static>; 2],
    /// There and back, for what is handed over.
    pub(crate) transfer: [Event<'static>; 2],
    pub(crate) signals: [SignalSemaphore<'static>; 2],
    /// With one to take.
    pub(crate) free: SignalSemaphore<'static>,
    pub(crate) permits: Semaphore<'static>,
    pub(crate) turn: Mutex<'static, u64>,
    pub(crate) condvar: Condvar<'static>,
}

impl Ours {
    /// This process's own, from now to its end. To be asked for after it was forked.
    ///
    /// # Panics
    ///
    /// When it cannot join.
    #[must_use]
    pub(crate) fn here(arena: &'static Arena) -> &'static Self {
        static HERE: OnceLock<Ours> = OnceLock::new();
        HERE.get_or_init(|| {
            let members = Box::leak(Box::new(Members::join(arena.region()).expect("cannot join")));
            let mut layout = members.layout();
            Self {
                mutex: layout.mutex(0).expect("there is room"),
                rwlock: layout.rwlock(Pair::default()).expect("there is room"),
                barriers: [2, 4, 8].map(|n| layout.barrier(n).expect("there is room")),
                events: [0; 2].map(|_| layout.event(Reset::Auto).expect("there is room")),
                manual: [0; 2].map(|_| layout.event(Reset::Manual).expect("there is room")),
                transfer: [0; 2].map(|_| layout.event(Reset::Auto).expect("there is room")),
                signals: [0; 2].map(|_| layout.signal_semaphore(0).expect("there is room")),
                free: layout.signal_semaphore(1).expect("there is room"),
                permits: layout.semaphore(1, OnDeath::Return).expect("there is room"),
                turn: layout.mutex(0).expect("there is room"),
                condvar: layout.condvar().expect("there is room"),
            }
        })
    }
}
