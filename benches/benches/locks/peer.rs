//! Two at once: this thread and a peer, a process or a thread, on a processor of its own.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use ndshm_testkit::{Child, Role};

use crate::arena::Arena;
use crate::rivals::{Lock, increments};

/// How a peer is commanded: three words of an arena.
#[derive(Clone, Copy, Debug)]
struct Lane {
    /// The number of the order.
    order: &'static AtomicU64,
    /// How many increments it asks for.
    count: &'static AtomicU64,
    /// The number of the last one obeyed.
    obeyed: &'static AtomicU64,
}

impl Lane {
    fn new(arena: &Arena, lane: usize) -> Self {
        let [order, count, obeyed] = [0, 1, 2].map(|word| arena.order(lane * 3 + word));
        Self { order, count, obeyed }
    }
}

/// One that contends for a lock whenever this process does.
#[derive(Debug)]
pub(crate) struct Peer {
    lane: Lane,
    orders: u64,
    /// Killed when the peer is dropped. A thread ends with its process.
    _child: Option<Child>,
}

impl Peer {
    /// A child that calls [`obey`] with that arena and lane, of that role.
    #[must_use]
    pub(crate) fn process(arena: &Arena, lane: usize, role: Role) -> Self {
        Self { lane: Lane::new(arena, lane), orders: 0, _child: Some(role.spawn()) }
    }

    /// A thread that calls [`obey`] with that arena and lane.
    #[must_use]
    pub(crate) fn thread(arena: &Arena, lane: usize, run: impl FnOnce() + Send + 'static) -> Self {
        std::thread::spawn(run);
        Self { lane: Lane::new(arena, lane), orders: 0, _child: None }
    }

    /// Half the time from the first to the last of `2 x count` increments, half of them the
    /// peer's.
    ///
    /// # Panics
    ///
    /// When the peer does not answer for a minute.
    pub(crate) fn together(&mut self, lock: &impl Lock, count: u64) -> Duration {
        // The peer is awake before the clock runs.
        self.order(0);
        let start = Instant::now();
        self.send(count);
        increments(lock, count);
        self.obeyed();
        start.elapsed() / 2
    }

    fn order(&mut self, count: u64) {
        self.send(count);
        self.obeyed();
    }

    fn send(&mut self, count: u64) {
        self.orders += 1;
        self.lane.count.store(count, Release);
        self.lane.order.store(self.orders, Release);
    }

    fn obeyed(&self) {
        let start = Instant::now();
        while self.lane.obeyed.load(Acquire) != self.orders {
            assert!(start.elapsed() < Duration::from_secs(60), "the peer does not answer");
        }
    }
}

/// The peer's side: does what it is told, until it is killed.
pub(crate) fn obey(arena: &Arena, lane: usize, lock: &impl Lock) {
    let lane = Lane::new(arena, lane);
    let mut last = 0;
    let mut idle = Instant::now();
    loop {
        let order = lane.order.load(Acquire);
        if order == last {
            // Its processor is for those who have something to do.
            if idle.elapsed() > Duration::from_millis(1) {
                std::thread::sleep(Duration::from_micros(500));
            }
            continue;
        }
        last = order;
        increments(lock, lane.count.load(Acquire));
        lane.obeyed.store(order, Release);
        idle = Instant::now();
    }
}
