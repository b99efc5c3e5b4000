//! A stopped process is alive: it is waited for, and never robbed.

use std::thread;
use std::time::Duration;

use ndshm_sync::BackendKind;
use ndshm_testkit::takes;

use crate::arena::Arena;
use crate::subject::{SUBJECTS, Seen, let_go};

pub(crate) fn who_is_stopped_is_waited_for(kind: BackendKind) {
    for entry in SUBJECTS {
        let arena = Arena::create(kind);
        let members = arena.join();
        let subject = entry.make(&members, &arena);
        let mut child = entry.held(&arena);
        child.stop();
        let_go(&arena);
        let long = Duration::from_millis(300);
        let seen = takes(long, || subject.wait(Some(long)));
        assert_eq!(seen, Seen::TimedOut, "{}: a stopped holder was robbed", entry.name);
        assert_eq!(members.alive().count(), 2, "a stopped process is alive");
        thread::scope(|s| {
            s.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                child.resume();
            });
            assert_eq!(subject.wait(None), Seen::Free, "{}", entry.name);
        });
    }
}
