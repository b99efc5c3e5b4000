//! Waits of condvars, semaphores, events and latches that end in time; and what a forked child may do
//! with them: nothing.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{
    AcquireError, Condvar, Event, Latch, LatchError, LockError, Members, Mutex, OnDeath, PostError,
    Reset, Semaphore, SignalSemaphore, WaitError,
};
use ndshm_testkit::{ends_well, fork, takes, until};

use crate::arena::Arena;
use crate::timeouts::storm;

const LIMIT: Duration = Duration::from_secs(20);
const FOR_EVER: Duration = Duration::MAX;

struct All<'m> {
    mutex: Mutex<'m, u64>,
    condvar: Condvar<'m>,
    semaphore: Semaphore<'m>,
    signal: SignalSemaphore<'m>,
    event: Event<'m>,
    latch: Latch<'m>,
}

impl<'m> All<'m> {
    fn of(members: &'m Members<'m>) -> Self {
        let mut layout = members.layout();
        Self {
            mutex: layout.mutex(0).expect("no mutex"),
            condvar: layout.condvar().expect("no condvar"),
            semaphore: layout.semaphore(1, OnDeath::Return).expect("no semaphore"),
            signal: layout.signal_semaphore(0).expect("no semaphore"),
            event: layout.event(Reset::Auto).expect("no event"),
            latch: layout.latch(2).expect("no latch"),
        }
    }

    /// Waits for each of them, with the one permit held and nobody else there.
    fn time_out(&self, timeout: Duration) {
        let (guard, result) = takes(timeout, || {
            let guard = self.mutex.lock().expect("nobody has died");
            self.condvar.wait_timeout(guard, timeout).expect("nobody has died")
        });
        // It may return early, but not within a second.
        assert!(result.timed_out());
        let (guard, result) = takes(timeout, || {
            let waited = self.condvar.wait_timeout_while(guard, timeout, |value| *value == 0);
            waited.expect("nobody has died")
        });
        assert!(result.timed_out());
        drop(guard);
        let got = takes(timeout, || self.semaphore.acquire_timeout(timeout));
        assert!(matches!(got, Err(AcquireError::TimedOut { permits: 1 })), "{got:?}");
        let got = takes(timeout, || self.signal.wait_timeout(timeout));
        assert_eq!(got, Err(WaitError::TimedOut));
        let got = takes(timeout, || self.event.wait_timeout(timeout));
        assert_eq!(got, Err(WaitError::TimedOut));
        let got = takes(timeout, || self.latch.wait_timeout(timeout));
        assert_eq!(got, Err(LatchError::TimedOut { missing: vec![1] }));
        let now = Instant::now;
        let guard = self.mutex.lock().expect("nobody has died");
        let waited = takes(timeout, || self.condvar.wait_deadline(guard, now() + timeout));
        assert!(waited.expect("nobody has died").1.timed_out());
        let got = takes(timeout, || self.semaphore.acquire_deadline(now() + timeout));
        assert!(got.is_err());
        assert!(takes(timeout, || self.signal.wait_deadline(now() + timeout)).is_err());
        assert!(takes(timeout, || self.event.wait_deadline(now() + timeout)).is_err());
        assert!(takes(timeout, || self.latch.wait_deadline(now() + timeout)).is_err());
    }
}

pub(crate) fn time_outs() {
    let arena = Arena::create();
    let members = arena.join();
    let all = All::of(&members);
    let held = all.semaphore.acquire().expect("it is free");
    all.latch.join(0).expect("no rank").count_down();
    for millis in [0, 1, 39, 41, 100] {
        all.time_out(Duration::from_millis(millis));
    }
    all.time_out(Duration::from_nanos(1));
    storm(100);
    all.time_out(Duration::from_millis(150));
    storm(0);

    // One too long for the clock is for ever.
    thread::scope(|s| {
        let waiters = [
            s.spawn(|| all.semaphore.acquire_timeout(FOR_EVER).is_ok()),
            s.spawn(|| all.signal.wait_timeout(FOR_EVER).is_ok()),
            s.spawn(|| all.event.wait_timeout(FOR_EVER).is_ok()),
            s.spawn(|| all.latch.wait_timeout(FOR_EVER).is_ok()),
            s.spawn(|| {
                let guard = all.mutex.lock().expect("nobody has died");
                let waited = all.condvar.wait_timeout_while(guard, FOR_EVER, |v| *v == 0);
                waited.is_ok_and(|(_, result)| !result.timed_out())
            }),
        ];
        thread::sleep(Duration::from_millis(100));
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()), "for ever is longer");
        drop(held);
        all.signal.post().expect("far from full");
        all.event.set();
        all.latch.join(1).expect("no rank").count_down();
        *all.mutex.lock().expect("nobody has died") = 1;
        all.condvar.notify_one();
        assert!(waiters.into_iter().all(|waiter| waiter.join().expect("it panicked")));
    });
}

/// Has all of them, and forks.
pub(crate) fn forker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let all = All::of(&members);
    let permit = all.semaphore.acquire().expect("it is free");
    let party = all.latch.join(0).expect("no rank");
    let spare = all.latch.join(1).expect("no rank");
    let guard = all.mutex.lock().expect("it is free");
    let mut owned = Some((guard, permit, party, spare));
    let child = fork(true, || {
        let (guard, permit, party, spare) = owned.take().expect("there");
        let waited = all.condvar.wait(guard);
        assert!(matches!(waited, Err(LockError::Forked)), "{waited:?}");
        all.condvar.notify_all();
        drop(permit);
        assert!(matches!(all.semaphore.acquire(), Err(AcquireError::Forked)));
        assert!(matches!(all.semaphore.try_acquire(), Err(AcquireError::Forked)));
        assert_eq!(all.signal.post(), Err(PostError::Forked));
        assert_eq!(all.signal.wait(), Err(WaitError::Forked));
        assert_eq!(all.signal.try_wait(), Err(WaitError::Forked));
        all.event.set();
        assert_eq!(all.event.wait(), Err(WaitError::Forked));
        assert_eq!(all.event.try_wait(), Err(WaitError::Forked));
        assert_eq!(all.latch.wait(), Err(LatchError::Forked));
        assert!(matches!(all.latch.join(0), Err(LatchError::Forked)));
        all.latch.withdraw(0, ndshm_sync::Absence::Failed);
        party.count_down();
        drop(spare);
    });
    ends_well(child);
    arena.word(1, 0).store(1, SeqCst);
    thread::sleep(LIMIT * 2); // holding on to what it owns
    drop(owned);
}

pub(crate) fn a_forked_child_may_use_none_of_them() {
    let arena = Arena::create();
    let members = arena.join();
    let all = All::of(&members);
    let mut parent = arena.role("signals::forker").spawn();
    until("its child has come and gone", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    assert!(all.mutex.try_lock().is_err());
    assert_eq!((all.semaphore.available(), all.signal.value()), (0, 0));
    assert!(!all.event.is_set());
    assert_eq!(all.latch.try_wait(), Err(LatchError::WouldBlock { missing: vec![0, 1] }));
    parent.kill();
    assert_eq!(all.semaphore.available(), 1);
    assert!(matches!(all.latch.wait(), Err(LatchError::Broken { lost }) if lost.len() == 2));
}
