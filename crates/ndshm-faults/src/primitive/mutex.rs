//! A mutex around a ledger.

use std::time::Duration;

use ndshm_sync::{LockError, Mutex, MutexGuard};

use super::exclusive::{Exclusive, Got, Lock};
use crate::ledger::{self, Ledger};
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;

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

impl Lock for Mutex<'static, Ledger> {
    type Guard = MutexGuard<'static, Ledger>;

    fn lock(&self, limit: Option<Duration>) -> Got<Self::Guard> {
        limit.map_or_else(|| Mutex::lock(self), |limit| self.lock_timeout(limit)).into()
    }

    fn clear_poison(guard: &mut Self::Guard) {
        guard.clear_poison();
    }

    fn refuses(&self) -> bool {
        matches!(Mutex::lock(self), Err(LockError::Forked))
    }
}

struct Played(Exclusive<Mutex<'static, Ledger>>);

impl Played {
    fn new(stage: Stage) -> Self {
        let mutex = stage.members.layout().mutex(ledger::fresh()).expect("no place for it");
        Self(Exclusive::new(stage, mutex))
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        self.0.lock.inspect().to_string()
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        if scene.name == HELD {
            self.0.held = Some(self.0.lock_for(self.0.stage.limit)?);
        }
        Ok(())
    }

    fn relent(&mut self) {
        self.0.relent();
    }

    fn assist(&mut self) -> Result<(), Hang> {
        self.0.visit()
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        self.0.check(dead)
    }

    fn ready(&mut self, scene: &Scene) {
        if scene.name == AWAITED && self.0.stage.seat == 1 {
            self.0.held = self.0.wait_for_it();
        }
    }

    fn turn(&mut self, _scene: &Scene) {
        self.0.turn();
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        self.0.take_over()
    }

    fn is_kept_by(&mut self, _seat: usize) -> bool {
        self.0.is_kept()
    }
}
