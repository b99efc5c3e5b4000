//! A forked child is no member, releases nothing of its parent's, and hides no death.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{BackendKind, LayoutError};
use ndshm_testkit::{arguments, ends_well, fork, until};

use crate::arena::Arena;
use crate::subject::{Entry, LIMIT, SUBJECTS, Seen};

/// Holds, forks; then stays until it is killed. Page 1: how far it has come. Page 4: what it is told.
pub(crate) fn forker() {
    let arena = Arena::inherited();
    let with_handlers = arguments()[2] == "fork";
    let entry = Entry::of_arguments();
    let members = arena.join();
    let spare = arena.join();
    let subject = entry.make(&members, &arena);
    subject.hold(&mut || {
        ends_well(fork(with_handlers, || {
            assert!(!members.is_mine());
            assert_eq!(subject.wait(None), Seen::Forked);
            assert_eq!(subject.wait(Some(Duration::MAX)), Seen::Forked);
            assert!(matches!(members.layout().mutex(0_u64), Err(LayoutError::Forked)));
            let anew = arena.join();
            assert!(anew.is_mine() && !members.is_mine());
            assert!(anew.me() != members.me() && anew.is_alive(members.me()), "the parent lives");
            assert!(anew.is_alive(spare.me()), "the parent lives");
            let seen = entry.make(&anew, &arena).wait(Some(Duration::from_millis(20)));
            assert_eq!(seen, Seen::TimedOut, "the parent has it");
        }));
        assert!(members.is_mine());
        // This one outlives its parent.
        fork(with_handlers, || {
            let anew = (!with_handlers).then(|| arena.join());
            arena.word(1, 0).store(1, SeqCst);
            until("the test is over", LIMIT * 2, || arena.word(4, 0).load(SeqCst) == 1);
            drop(anew);
        });
        thread::sleep(LIMIT * 2);
    });
}

fn forked(kind: BackendKind, how: &str) {
    for entry in SUBJECTS.iter().filter(|entry| entry.owned) {
        let arena = Arena::create(kind);
        let members = arena.join();
        let subject = entry.make(&members, &arena);
        let mut parent = arena.role("fork::forker").arg(entry.name).arg(how).spawn();
        until("a child lives", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
        let seen = subject.wait(Some(Duration::from_millis(20)));
        assert_eq!(seen, Seen::TimedOut, "{}: a child gave up its parent's", entry.name);
        parent.kill();
        let seen = subject.wait(Some(LIMIT));
        let died = Seen::Died(Some(parent.pid()));
        assert_eq!(seen, died, "{}: a child hides its parent's death", entry.name);
        arena.word(4, 0).store(1, SeqCst);
    }
}

pub(crate) fn a_forked_child_is_refused(kind: BackendKind) {
    forked(kind, "fork");
}

pub(crate) fn a_child_forked_without_handlers_is_refused(kind: BackendKind) {
    forked(kind, "clone");
}
