//! Words that somebody has written rubbish into.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{BarrierError, LockError, Members};
use ndshm_testkit::{Rng, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);
const LOCKED: u64 = 1 << 31;

/// The word of the first lock that follows the table; it is 8 bytes into its cell.
fn first_word(arena: &Arena) -> &'static AtomicU64 {
    arena.inside(Members::SIZE + 8)
}

/// Joins and leaves, so that a slot has been used.
pub(crate) fn visitor() {
    let arena = Arena::inherited();
    drop(arena.join());
}

pub(crate) fn garbage_in_the_word_is_no_panic_and_no_hang() {
    let arena = Arena::create();
    arena.role("damage::visitor").spawn().succeed(LIMIT);
    let members = arena.join();
    let mutex = members.layout().mutex(7_u64).expect("no mutex");
    let word = first_word(&arena);
    let me = members.me();

    let locked_by_nobody = [
        LOCKED | 1 << 32 | 60_000, // no such slot
        LOCKED | 1 << 32 | 0xffff, // no such slot
        LOCKED | 1 << 32 | 1020,   // one beyond the last
        LOCKED | 1 << 32 | 1019,   // a slot never used
        LOCKED | (u64::from(me.generation()) + 1) << 32 | u64::from(me.slot()), // the future
        LOCKED | 0xffff_ffff << 32, // the far future
        LOCKED,                    // no generation
        u64::MAX,
        LOCKED | 0x1fff << 16,
    ];
    for garbage in locked_by_nobody {
        word.store(garbage, SeqCst);
        match mutex.lock() {
            Err(LockError::Poisoned(p)) => {
                assert!(p.to_string().contains("half-changed"), "{p}");
                p.into_inner().clear_poison();
            }
            other => panic!("{garbage:#x}: {other:?}"),
        }
        assert_eq!(word.load(SeqCst), 0, "{garbage:#x} has left something behind");
        drop(mutex.lock().expect("whole again"));
    }

    let mut rng = Rng::of_this_run();
    for _ in 0..2000 {
        let garbage = rng.next();
        // The one thing that cannot be told from a holder: the name of a living member.
        let alive = garbage & 0xffff == u64::from(me.slot()) && garbage >> 32 == 1;
        if garbage & LOCKED == 0 || alive {
            continue;
        }
        word.store(garbage, SeqCst);
        match mutex.lock_timeout(Duration::from_secs(5)) {
            Err(LockError::Poisoned(p)) => p.into_inner().clear_poison(),
            other => panic!("{garbage:#x}: {other:?}"),
        }
    }

    // A culprit that is no member.
    for culprit in [0, u64::MAX, 1 << 32 | 60_000] {
        arena.inside(Members::SIZE + 16).store(culprit, SeqCst);
        word.store(1 << 29, SeqCst);
        match mutex.lock() {
            Err(LockError::Poisoned(p)) => {
                assert!(!p.to_string().is_empty());
                p.into_inner().clear_poison();
            }
            other => panic!("{culprit:#x}: {other:?}"),
        }
    }

    // Not locked, but not zero either.
    for garbage in [1, 0xffff, 5 << 32, 1 << 16, 1 << 28] {
        word.store(garbage, SeqCst);
        let got = mutex.lock_timeout(Duration::from_secs(5));
        assert!(got.is_ok() || matches!(got, Err(LockError::Poisoned(_))), "{got:?}");
    }
}

pub(crate) fn garbage_in_a_party_is_no_panic_and_no_hang() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = members.layout().barrier(2).expect("no barrier");
    let owner = arena.inside(Members::SIZE + 64 * 2);
    for garbage in [1 << 32 | 60_000, u64::MAX, 0xffff_fff0 << 32, 7 << 16, 5 << 16] {
        let mut party = barrier.join(0).expect("no rank");
        owner.store(garbage, SeqCst);
        let met = party.wait_timeout(Duration::from_secs(10));
        assert!(
            matches!(met, Err(BarrierError::Broken { ref lost }) if lost[0].rank == 1),
            "{met:?}"
        );
        owner.store(0, SeqCst);
        drop(party);
        barrier.reset();
    }

    // A phase number out of nowhere: whoever waits is told something, and soon.
    let [mut a, mut b] = [0, 1].map(|rank| barrier.join(rank).expect("no rank"));
    thread::scope(|s| {
        let waiting = s.spawn(move || a.wait());
        until("it waits", LIMIT, || members.alive().count() == 1);
        thread::sleep(Duration::from_millis(5));
        arena.inside(Members::SIZE + 8).store(0x1234_5678_9abc_def1, SeqCst);
        let _ = waiting.join().expect("it panicked");
    });
    assert!(b.wait_timeout(Duration::from_millis(50)).is_err());
    barrier.reset();
}
