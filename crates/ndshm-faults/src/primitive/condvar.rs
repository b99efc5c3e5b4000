//! A condvar with a mutex around a ledger: odd seats and even ones take turns, and wait for each other.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{Condvar, Mutex, MutexGuard};

use super::exclusive::{Exclusive, Got, Lock};
use crate::ledger::{self, Ledger};
use crate::scene::{Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

pub(crate) const CONDVAR: Primitive =
    Primitive { name: "condvar", lay: |stage| Box::new(Played::new(stage)), scenes: SCENES };

/// Note of the arena: the round comes to its end, and nobody waits any more.
const OVER: usize = 0;

/// The victim has the turn, and another sleeps for its notification.
const NOTIFIER: &str = "notifier";
/// The victim sleeps, until the survivor notifies it.
const WAITER: &str = "waiter";

const PLAYED: Scene = Scene {
    name: "by turns",
    rows: &["inside", "notifying", "waiting"],
    kills: 2,
    pause: Duration::from_micros(200),
    ..Scene::FREE_FOR_ALL
};

const SCENES: &[Scene] =
    &[PLAYED, PLAYED.step_by_step(NOTIFIER, 1), PLAYED.step_by_step(WAITER, 0)];

type Guard = MutexGuard<'static, Ledger>;

struct Played {
    lock: Exclusive<Mutex<'static, Ledger>>,
    condvar: Condvar<'static>,
    /// The survivor has to take a turn before the victim can.
    owes: bool,
}

impl Played {
    fn new(stage: Stage) -> Self {
        let mut layout = stage.members.layout();
        let mutex = layout.mutex(ledger::fresh()).expect("no place for the mutex");
        let condvar = layout.condvar().expect("no place for the condvar");
        Self { lock: Exclusive::new(stage, mutex), condvar, owes: false }
    }

    fn is_over(&self) -> bool {
        self.lock.stage.control().notes[OVER].load(SeqCst) != 0
    }

    /// Waits for this seat's turn; `None` where the round was over first.
    fn turn_of(&mut self, mut guard: Guard, parity: u64) -> Option<Guard> {
        while ledger::count(&guard) % 2 != parity {
            if self.is_over() {
                self.lock.leave(guard);
                return None;
            }
            self.lock.stage.go_outside();
            self.lock.stage.say(At::Wanting);
            let got = self.condvar.wait(guard);
            guard = self.lock.enter(Got::from(got))?;
            self.lock.stage.say(At::Inside);
        }
        Some(guard)
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        format!("{}; {}", self.lock.lock.inspect(), self.condvar.inspect())
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        self.lock.stage.control().notes[OVER].store(0, SeqCst);
        if matches!(scene.name, NOTIFIER | WAITER) {
            // Whose turn it is: the victim's, whose seat is odd; or not.
            let mut guard = self.lock.lock_for(self.lock.stage.limit)?;
            if ledger::count(&guard) % 2 != u64::from(scene.name == NOTIFIER) {
                ledger::take_turn(&mut guard, crate::stage::SURVIVOR, |_| {});
            }
            self.lock.leave(guard);
            self.owes = scene.name == WAITER;
        }
        Ok(())
    }

    fn relent(&mut self) {
        if self.owes {
            // Not for long: a victim that is stopped where it has the mutex cannot let go of it.
            let got = Lock::lock(&self.lock.lock, Some(Duration::from_millis(5)));
            let Some(mut guard) = self.lock.enter(got) else { return };
            self.owes = false;
            ledger::take_turn(&mut guard, crate::stage::SURVIVOR, |_| {});
            self.lock.leave(guard);
        }
        // As the others do it, so that a notification can come while a victim dies.
        self.condvar.notify_one();
    }

    fn finish(&mut self) {
        self.lock.stage.control().notes[OVER].store(1, SeqCst);
        match self.lock.visit() {
            Ok(()) => self.condvar.notify_all(),
            Err(Hang(details)) => self.lock.stage.report(Violation::Hang, &details),
        }
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        self.lock.check(dead)
    }

    fn turn(&mut self, scene: &Scene) {
        let Some(guard) = self.lock.wait_for_it() else { return };
        let seat = self.lock.stage.seat;
        // The orphaner counts as what it is; bystanders wait for the victim.
        let parity = if scene.name == NOTIFIER && seat != 1 { 0 } else { seat as u64 % 2 };
        let Some(mut guard) = self.turn_of(guard, parity) else { return };
        self.lock.change(&mut guard);
        let done = self.lock.stage.done;
        if done.is_multiple_of(3) {
            // Before it lets go of the mutex, or after.
            self.condvar.notify_all();
            self.lock.leave(guard);
        } else {
            self.lock.leave(guard);
            if done % 3 == 1 {
                self.condvar.notify_all();
            } else {
                self.condvar.notify_one();
            }
        }
        self.lock.stage.count_turn();
    }

    fn is_kept_by(&mut self, _seat: usize) -> bool {
        self.lock.is_kept()
    }
}
