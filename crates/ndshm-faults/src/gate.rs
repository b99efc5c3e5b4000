//! Rounds: players wait at a gate between them.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::arena::Control;
use crate::futex;
use crate::seat::At;

/// How long one sleeps before it looks again; wake-ups come sooner.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// For a player: waits until the gate is open; with `once` for another time than the last.
pub(crate) fn pass(control: &Control, seat: usize, once: bool) {
    let words = &control.seats[seat];
    let mut now = control.gate.load(SeqCst);
    while once && now % 2 == 1 && now == words.passed.load(SeqCst) {
        futex::wait(&control.gate, now, LOOK);
        now = control.gate.load(SeqCst);
    }
    if now.is_multiple_of(2) {
        words.say(words.read().0, At::Gate);
        arrive(control);
        while now.is_multiple_of(2) {
            futex::wait(&control.gate, now, LOOK);
            now = control.gate.load(SeqCst);
        }
    }
    if words.passed.swap(now, SeqCst) != now {
        words.say(words.read().0, At::Out);
        arrive(control);
    }
}

fn arrive(control: &Control) {
    control.arrivals.fetch_add(1, SeqCst);
    futex::wake(&control.arrivals);
}

/// For the survivor: lets the players go on.
pub(crate) fn open(control: &Control) {
    control.gate.fetch_add(1, SeqCst);
    futex::wake(&control.gate);
}

/// Lets nobody begin another turn.
pub(crate) fn close(control: &Control) {
    control.gate.fetch_add(1, SeqCst);
    futex::wake(&control.gate); // those who have had theirs
}
