//! Many at one lock.

use std::sync::atomic::Ordering::SeqCst;

use ndshm_sync::BackendKind;
use ndshm_testkit::until;

use crate::arena::Arena;
use crate::subject::LIMIT;

const PLAYERS: u64 = 4;
const EACH: u64 = 5_000;

/// Adds one, `EACH` times; nobody else may be inside meanwhile.
pub(crate) fn adder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let me = members.me().to_bits();
    arena.word(1, 0).fetch_add(1, SeqCst);
    until("all are there", LIMIT, || arena.word(1, 0).load(SeqCst) == PLAYERS);
    for turn in 0..EACH {
        let mut guard = mutex.lock().expect("nobody has died");
        assert_eq!(arena.word(1, 1).swap(me, SeqCst), 0, "two inside");
        *guard += 1;
        if turn % 64 == 0 {
            std::thread::yield_now(); // the others find it held, and go to sleep
        }
        assert_eq!(arena.word(1, 1).swap(0, SeqCst), me, "two inside");
    }
}

pub(crate) fn no_increment_is_lost(kind: BackendKind) {
    let arena = Arena::create(kind);
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let spawn = |_| arena.role("exclusion::adder").spawn();
    let mut children: Vec<_> = (0..PLAYERS).map(spawn).collect();
    children.iter_mut().for_each(|child| child.succeed(LIMIT * 2));
    assert_eq!(*mutex.lock().expect("nobody has died"), PLAYERS * EACH);
}
