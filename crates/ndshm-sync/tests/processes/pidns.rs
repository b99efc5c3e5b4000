//! Two processes with the same process id, in PID namespaces of their own.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::LockError;
use ndshm_testkit::{Child, arguments, skip, until};

use crate::arena::Arena;
use crate::members::can;

const LIMIT: Duration = Duration::from_secs(40);
const APART: [&str; 5] = ["unshare", "-Ur", "--pid", "--fork", "--kill-child"];
const EACH: u64 = 5000;

/// Page and what to do. Word 0 of the page: how far it has come; word 1: its process id.
pub(crate) fn stranger() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let arguments = arguments();
    let page: usize = arguments[0].parse().expect("a page");
    arena.word(page, 1).store(std::process::id().into(), SeqCst);
    arena.word(page, 0).store(1, SeqCst);
    match arguments[1].as_str() {
        "count" => {
            until("the other is there", LIMIT, || arena.word(3 - page, 0).load(SeqCst) == 1);
            (0..EACH).for_each(|_| *mutex.lock().expect("nobody has died") += 1);
        }
        "hold" => {
            let _guard = mutex.lock();
            arena.word(page, 0).store(2, SeqCst);
            thread::sleep(LIMIT);
        }
        "wait" => {
            let got = mutex.lock();
            let poisoned = matches!(&got, Err(LockError::Poisoned(p)) if p.member().pid == Some(1));
            arena.word(page, 0).store(if poisoned { 3 } else { 4 }, SeqCst);
        }
        other => panic!("{other}?"),
    }
}

pub(crate) fn equal_pids_exclude_each_other() {
    if let Err(why) = can(&[&APART[..], &["true"]].concat()) {
        return skip("PID namespaces", &why);
    }
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let spawn = |page: usize, what: &str| -> Child {
        arena.word(page, 0).store(0, SeqCst);
        arena.role("pidns::stranger").under(&APART).arg(page).arg(what).spawn()
    };

    let mut both = [spawn(1, "count"), spawn(2, "count")];
    both.iter_mut().for_each(|child| child.succeed(LIMIT));
    let pids = [1, 2].map(|page| arena.word(page, 1).load(SeqCst));
    assert_eq!(pids, [1, 1], "the process ids should be the same");
    assert_eq!(*mutex.lock().expect("nobody has died"), 2 * EACH);

    let state = |page| arena.word(page, 0).load(SeqCst);
    let mut holder = spawn(1, "hold");
    until("one holds", LIMIT, || state(1) == 2);
    // The death of a waiter of the same process id is not the holder's.
    let mut waiter = spawn(2, "wait");
    until("one waits", LIMIT, || state(2) == 1);
    thread::sleep(Duration::from_millis(100));
    waiter.kill();
    let held = mutex.lock_timeout(Duration::from_millis(200));
    assert!(matches!(held, Err(LockError::TimedOut { owner: Some(_) })), "robbed: {held:?}");

    // The death of the holder is noticed by one of the same process id.
    let _waiter = spawn(2, "wait");
    until("one waits", LIMIT, || state(2) == 1);
    thread::sleep(Duration::from_millis(50));
    holder.kill();
    until("it is told", LIMIT, || state(2) > 2);
    assert_eq!(state(2), 3, "it had the lock of a dead one without a word");
}
