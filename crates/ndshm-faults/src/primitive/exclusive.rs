//! What all locks around a ledger have in common: one is inside, changes it, and leaves.

use std::ops::DerefMut;
use std::time::Duration;

use ndshm_sync::{LockError, MemberId};

use crate::ledger::{self, Ledger};
use crate::scene::{Dead, Hang};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

/// What came of asking for a lock.
pub(super) enum Got<G> {
    Clean(G),
    /// After the death of that member.
    Poisoned(G, MemberId),
    /// Not had.
    No,
}

impl<G> From<Result<G, LockError<G>>> for Got<G> {
    fn from(got: Result<G, LockError<G>>) -> Self {
        match got {
            Ok(guard) => Self::Clean(guard),
            Err(LockError::Poisoned(poisoned)) => {
                let member = poisoned.member().id;
                Self::Poisoned(poisoned.into_inner(), member)
            }
            Err(_) => Self::No,
        }
    }
}

/// A lock that excludes all others.
pub(super) trait Lock: Copy + 'static {
    type Guard: DerefMut<Target = Ledger>;

    /// Takes it, within that time if any.
    fn lock(&self, limit: Option<Duration>) -> Got<Self::Guard>;

    fn clear_poison(guard: &mut Self::Guard);

    /// Whether it refuses a forked child.
    fn refuses(&self) -> bool;
}

/// A process's side of such a lock.
pub(super) struct Exclusive<L: Lock> {
    pub(super) stage: Stage,
    pub(super) lock: L,
    /// What it has prepared with.
    pub(super) held: Option<L::Guard>,
}

impl<L: Lock> Exclusive<L> {
    pub(super) const fn new(stage: Stage, lock: L) -> Self {
        Self { stage, lock, held: None }
    }

    /// Checks what one may rely on that has the lock, and mends what a dead one left.
    pub(super) fn enter(&mut self, got: Got<L::Guard>) -> Option<L::Guard> {
        match got {
            Got::Clean(guard) => {
                self.stage.go_inside(false);
                if !ledger::is_whole(&guard) {
                    self.stage.report(Violation::Torn, &format!("no word of it: {:x?}", *guard));
                }
                Some(guard)
            }
            Got::Poisoned(mut guard, member) => {
                self.stage.say(At::Mending);
                self.stage.told_of(member);
                self.stage.go_inside(true);
                let stage = &mut self.stage;
                ledger::mend(&mut guard, || stage.dwell_longer());
                L::clear_poison(&mut guard);
                Some(guard)
            }
            Got::No => None,
        }
    }

    /// The survivor's way in.
    pub(super) fn lock_for(&mut self, limit: Duration) -> Result<L::Guard, Hang> {
        let got = self.lock.lock(Some(limit));
        self.enter(got).ok_or_else(|| Hang(format!("not had in {limit:?}")))
    }

    /// A player's way in.
    pub(super) fn wait_for_it(&mut self) -> Option<L::Guard> {
        self.stage.say(At::Wanting);
        let got = self.lock.lock(None);
        let guard = self.enter(got);
        if guard.is_none() {
            self.stage.report(Violation::Other, "a lock without a time-out gave up");
        }
        self.stage.say(At::Inside);
        guard
    }

    /// One turn in the ledger.
    pub(super) fn change(&mut self, guard: &mut L::Guard) {
        self.stage.say(At::Changing(0));
        let (stage, lock) = (&mut self.stage, self.lock);
        let seat = stage.seat;
        ledger::take_turn(guard, seat, |k| {
            if k == 4 {
                stage.fork(|| lock.refuses());
            }
            stage.changing(k);
        });
        self.stage.say(At::Changed);
    }

    pub(super) fn leave(&mut self, guard: L::Guard) {
        self.stage.go_outside();
        self.stage.say(At::Releasing);
        drop(guard);
    }

    /// A player's turn.
    pub(super) fn turn(&mut self) {
        let held = self.held.take();
        let Some(mut guard) = held.or_else(|| self.wait_for_it()) else { return };
        self.change(&mut guard);
        self.leave(guard);
        self.stage.count_turn();
    }

    /// The survivor's turn: in, and out.
    pub(super) fn visit(&mut self) -> Result<(), Hang> {
        let guard = self.lock_for(self.stage.limit)?;
        self.leave(guard);
        Ok(())
    }

    pub(super) fn relent(&mut self) {
        if let Some(guard) = self.held.take() {
            self.leave(guard);
        }
    }

    pub(super) fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        self.relent();
        let guard = self.lock_for(self.stage.limit)?;
        ledger::audit(&guard, &self.stage, dead, ledger::begun_is_done);
        self.leave(guard);
        Ok(ledger::told(&self.stage, dead))
    }

    pub(super) fn take_over(&mut self) -> Result<bool, Hang> {
        let got = self.lock.lock(Some(self.stage.limit));
        let told = matches!(got, Got::Poisoned(..));
        let guard = self.enter(got).ok_or_else(|| Hang("an orphaned lock".to_owned()))?;
        self.leave(guard);
        Ok(told)
    }

    /// Whether it cannot be had for longer than anybody sleeps without a look.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.lock.lock(Some(Duration::from_millis(45))), Got::No)
    }
}
