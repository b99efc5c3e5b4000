//! A mutex around a ledger.

use std::time::Duration;

use ndshm_sync::{LockError, Mutex, MutexGuard};

use crate::ledger::{self, Ledger};
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

pub(crate) const MUTEX: Primitive =
    Primitive { name: "mutex", lay: |stage| Box::new(Played::new(stage)), scenes: SCENES };

/// Scenes in which somebody else has the lock when the round begins.
const HELD: &str = "held";
/// A player takes the lock, another sleeps for it; then the first releases it.
const AWAITED: &str = "awaited";

const SCENES: &[Scene] = &[
    Scene {
        name: "free for all",
        rows: &["holder", "waker", "contender"],
        row: |at| match at {
            at if at.is_inside() => Some(0),
            At::Releasing => Some(1),
            At::Wanting => Some(2),
            _ => None,
        },
        players: 4,
        kills: 3,
        pause: Duration::from_micros(120),
        orphaned: false,
        together: false,
        bystanders: 0,
        acts: &[Act::Kill, Act::Storm, Act::Namespaces, Act::Forks, Act::Stop],
    },
    Scene {
        name: HELD,
        rows: &["waiter"],
        row: |at| (at == At::Wanting).then_some(0),
        players: 4,
        kills: 3,
        pause: Duration::from_micros(300),
        orphaned: false,
        together: false,
        bystanders: 1,
        acts: &[Act::Kill, Act::Storm, Act::Namespaces, Act::Step],
    },
    Scene {
        name: "orphaned",
        rows: &["recoverer", "beside a recoverer"],
        row: |at| match at {
            At::Mending => Some(0),
            At::Wanting => Some(1),
            _ => None,
        },
        players: 3,
        kills: 3,
        pause: Duration::from_micros(250),
        orphaned: true,
        together: false,
        bystanders: 0,
        acts: &[Act::Kill, Act::Recycled, Act::Step, Act::Orphaned, Act::OrphanedInWait],
    },
    Scene {
        name: "alone",
        rows: &["alone"],
        row: |_| Some(0),
        players: 1,
        kills: 1,
        pause: Duration::ZERO,
        orphaned: false,
        together: false,
        bystanders: 0,
        acts: &[Act::Step],
    },
    Scene {
        name: AWAITED,
        rows: &["waker"],
        row: |_| Some(0),
        players: 2,
        kills: 1,
        pause: Duration::ZERO,
        orphaned: false,
        together: false,
        bystanders: 1,
        acts: &[Act::Step],
    },
];

struct Played {
    stage: Stage,
    mutex: Mutex<'static, Ledger>,
    held: Option<MutexGuard<'static, Ledger>>,
}

impl Played {
    fn new(stage: Stage) -> Self {
        let mutex = stage.members.layout().mutex(ledger::fresh()).expect("no place for it");
        Self { stage, mutex, held: None }
    }

    /// What a locker may rely on.
    fn enter(&mut self, got: Locked) -> Option<MutexGuard<'static, Ledger>> {
        let (guard, poisoned) = match got {
            Ok(guard) => (guard, false),
            Err(LockError::Poisoned(poisoned)) => {
                self.stage.say(At::Mending);
                self.stage.told_of(poisoned.member().id);
                (poisoned.into_inner(), true)
            }
            Err(_) => return None,
        };
        self.stage.go_inside(poisoned);
        let mut guard = guard;
        if poisoned {
            let stage = &mut self.stage;
            ledger::mend(&mut guard, || stage.dwell_longer());
            guard.clear_poison();
        } else if !ledger::is_whole(&guard) {
            self.stage.report(Violation::Torn, &format!("no word of it: {:x?}", *guard));
        }
        Some(guard)
    }

    fn lock_for(&mut self, limit: Duration) -> Result<MutexGuard<'static, Ledger>, Hang> {
        let got = self.mutex.lock_timeout(limit);
        self.enter(got).ok_or_else(|| Hang(format!("not had in {limit:?}")))
    }

    fn change(&mut self, guard: &mut MutexGuard<'static, Ledger>) {
        self.stage.say(At::Changing(0));
        let (stage, mutex) = (&mut self.stage, self.mutex);
        let seat = stage.seat;
        ledger::take_turn(guard, seat, |k| {
            if k == 4 {
                stage.fork(|| matches!(mutex.lock(), Err(LockError::Forked)));
            }
            stage.changing(k);
        });
        self.stage.say(At::Changed);
    }

    fn leave(&mut self, guard: MutexGuard<'static, Ledger>) {
        self.stage.go_outside();
        self.stage.say(At::Releasing);
        drop(guard);
    }
}

type Locked = Result<MutexGuard<'static, Ledger>, LockError<MutexGuard<'static, Ledger>>>;

impl Subject for Played {
    fn inspect(&self) -> String {
        self.mutex.inspect().to_string()
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        if scene.name == HELD {
            self.held = Some(self.lock_for(self.stage.limit)?);
        }
        Ok(())
    }

    fn relent(&mut self) {
        if let Some(guard) = self.held.take() {
            self.leave(guard);
        }
    }

    fn assist(&mut self) -> Result<(), Hang> {
        let guard = self.lock_for(self.stage.limit)?;
        self.leave(guard);
        Ok(())
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        self.relent();
        let guard = self.lock_for(self.stage.limit)?;
        ledger::audit(&guard, &self.stage, dead);
        self.leave(guard);
        Ok(ledger::told(&self.stage, dead))
    }

    fn ready(&mut self, scene: &Scene) {
        if scene.name == AWAITED && self.stage.seat == 1 {
            let got = self.mutex.lock();
            self.held = self.enter(got);
            self.stage.say(At::Inside);
        }
    }

    fn turn(&mut self, _scene: &Scene) {
        let guard = match self.held.take() {
            Some(guard) => Some(guard),
            None => {
                self.stage.say(At::Wanting);
                let got = self.mutex.lock();
                self.enter(got)
            }
        };
        let Some(mut guard) = guard else {
            return self.stage.report(Violation::Other, "a lock without a time-out gave up");
        };
        self.stage.say(At::Inside);
        self.change(&mut guard);
        self.leave(guard);
        self.stage.count_turn();
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        let got = self.mutex.lock_timeout(self.stage.limit);
        let told = matches!(got, Err(LockError::Poisoned(_)));
        let guard = self.enter(got).ok_or_else(|| Hang("an orphaned lock".to_owned()))?;
        self.leave(guard);
        Ok(told)
    }

    fn is_kept_by(&mut self, _seat: usize) -> bool {
        matches!(
            self.mutex.lock_timeout(Duration::from_millis(45)),
            Err(LockError::TimedOut { .. })
        )
    }
}
