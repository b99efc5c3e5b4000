//! A forked child is no member, releases nothing of its parent's, and hides no death.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{BarrierError, LayoutError, LockError, Members};
use ndshm_testkit::{arguments, ends_well, fork, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(20);

/// Page 1: what the parent and its children say. Page 2: what they are told.
fn stage(arena: &Arena) -> &'static AtomicU64 {
    arena.word(1, 0)
}

/// Joins, locks, forks; then stays until it is killed.
pub(crate) fn forker() {
    let arena = Arena::inherited();
    let with_handlers = arguments()[0] == "fork";
    let members = arena.join();
    let spare = arena.join();
    let mut layout = members.layout();
    let mutex = layout.mutex(0_u64).expect("no mutex");
    let barrier = layout.barrier(2).expect("no barrier");
    let party = barrier.join(0).expect("no rank");
    let guard = mutex.lock().expect("no lock");
    let mine = members.me();
    arena.word(1, 1).store(spare.me().to_bits(), SeqCst);

    // The child owns copies of all these, and may do with them what it likes.
    let mut owned = Some((guard, party, spare));
    let child = fork(with_handlers, || {
        let (guard, mut party, spare) = owned.take().expect("there");
        assert!(!members.is_mine());
        assert!(matches!(mutex.lock(), Err(LockError::Forked)));
        assert!(matches!(mutex.try_lock(), Err(LockError::Forked)));
        assert!(matches!(mutex.lock_timeout(Duration::MAX), Err(LockError::Forked)));
        assert!(matches!(members.layout().mutex(0_u64), Err(LayoutError::Forked)));
        assert!(matches!(members.layout().barrier(1), Err(LayoutError::Forked)));
        assert!(matches!(barrier.join(1), Err(BarrierError::Forked)));
        assert!(matches!(party.wait(), Err(BarrierError::Forked)));
        barrier.withdraw(1, ndshm_sync::Absence::Failed);
        drop((guard, party, spare));

        let anew = arena.join();
        assert!(anew.is_mine() && !members.is_mine());
        assert!(anew.me() != mine && anew.is_alive(mine), "the parent lives");
        let mut layout = anew.layout();
        let mutex = layout.mutex(0_u64).expect("no mutex");
        let held = mutex.try_lock();
        assert!(
            matches!(&held, Err(LockError::WouldBlock { owner: Some(o) }) if o.id == mine),
            "{held:?}"
        );
        let barrier = layout.barrier(2).expect("no barrier");
        assert!(matches!(barrier.join(0), Err(BarrierError::RankTaken { .. })));
        assert!(!barrier.is_broken());
        drop(barrier.join(1).expect("no rank"));
        assert!(barrier.is_broken(), "its own party withdrew");
        barrier.reset();
        // A child of the child is no member either.
        ends_well(fork(with_handlers, || {
            assert!(!anew.is_mine() && !members.is_mine());
            assert!(matches!(mutex.lock(), Err(LockError::Forked)));
        }));
        assert!(anew.is_mine());
    });
    ends_well(child);
    assert!(members.is_mine());
    stage(&arena).store(1, SeqCst);
    until("the test has looked", LIMIT, || arena.word(2, 0).load(SeqCst) == 1);

    // This one outlives its parent.
    fork(with_handlers, || {
        let anew = (!with_handlers).then(|| arena.join());
        stage(&arena).store(2, SeqCst);
        until("the test is over", LIMIT, || arena.word(2, 0).load(SeqCst) == 2);
        drop(anew);
        stage(&arena).store(3, SeqCst);
    });
    thread::sleep(LIMIT * 2); // holding on to what it owns
    drop(owned);
}

fn forked(how: &str) {
    let arena = Arena::create();
    let members = arena.join();
    let mut layout = members.layout();
    let mutex = layout.mutex(0_u64).expect("no mutex");
    let barrier = layout.barrier(2).expect("no barrier");
    let mut parent = arena.role("fork::forker").arg(how).spawn();
    let still_held = |child: &str| {
        let held = mutex.try_lock();
        assert!(
            matches!(&held, Err(LockError::WouldBlock { owner: Some(o) }) if o.pid == Some(parent.pid())),
            "{child}: {held:?}"
        );
    };
    until("a child has come and gone", LIMIT, || stage(&arena).load(SeqCst) == 1);
    still_held("after it has gone");
    let spare = ndshm_sync::MemberId::from_bits(arena.word(1, 1).load(SeqCst)).expect("a member");
    assert!(members.is_alive(spare), "a child that dropped a membership has ended its parent's");
    assert!(!barrier.is_broken(), "a child that dropped a party has withdrawn its parent's");

    arena.word(2, 0).store(1, SeqCst);
    until("another child lives", LIMIT, || stage(&arena).load(SeqCst) == 2);
    still_held("while it lives");
    let pid = parent.pid();
    parent.kill();
    match mutex.lock_timeout(LIMIT / 2) {
        Err(LockError::Poisoned(p)) => assert_eq!(p.member().pid, Some(pid)),
        other => panic!("a child hides its parent's death: {other:?}"),
    }
    thread::sleep(Duration::from_millis(5));
    assert_eq!(stage(&arena).load(SeqCst), 2, "the child lives");
    assert!(!members.is_alive(spare));
    arena.word(2, 0).store(2, SeqCst);
    until("the child ends", LIMIT, || stage(&arena).load(SeqCst) == 3);
    let _: Members<'_> = arena.join();
}

pub(crate) fn a_forked_child_is_no_member() {
    forked("fork");
}

pub(crate) fn a_child_forked_without_handlers_is_no_member() {
    forked("clone");
}
