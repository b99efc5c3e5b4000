//! Waits that end in time, and not before.

use std::thread;
use std::time::Duration;

use ndshm_sync::BackendKind;
use ndshm_testkit::takes;

use crate::arena::Arena;
use crate::subject::{SUBJECTS, Seen, let_go};

pub(crate) fn are_kept(kind: BackendKind) {
    for entry in SUBJECTS {
        let arena = Arena::create(kind);
        let members = arena.join();
        let subject = entry.make(&members, &arena);
        let mut child = entry.held(&arena);
        for millis in [0, 1, 7, 39, 41, 150] {
            let timeout = Duration::from_millis(millis);
            let seen = takes(timeout, || subject.wait(Some(timeout)));
            assert_eq!(seen, Seen::TimedOut, "{}: {timeout:?}", entry.name);
        }
        thread::scope(|s| {
            s.spawn(|| {
                thread::sleep(Duration::from_millis(60));
                let_go(&arena);
            });
            let seen = subject.wait(Some(Duration::MAX));
            assert_eq!(seen, Seen::Free, "{}: for ever is as long as it takes", entry.name);
        });
        child.kill();
    }
}

/// What a dead one has is to be had: with no time to wait for it, and at once with all of it.
pub(crate) fn of_what_a_dead_one_has_do_not_matter(kind: BackendKind) {
    for entry in SUBJECTS.iter().filter(|entry| entry.owned) {
        let arena = Arena::create(kind);
        let members = arena.join();
        let subject = entry.make(&members, &arena);
        for timeout in [Duration::ZERO, Duration::from_secs(600), Duration::MAX] {
            let mut child = entry.held(&arena);
            child.kill();
            let seen = takes(Duration::ZERO, || subject.wait(Some(timeout)));
            assert_eq!(seen, Seen::Died(Some(child.pid())), "{}: {timeout:?}", entry.name);
        }
    }
}
