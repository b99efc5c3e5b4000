//! A mutex around a ledger.

use std::time::Duration;

use ndshm_sync::{LockError, Mutex, MutexGuard};

use super::exclusive::{Exclusive, Got, Lock};
use crate::ledger::{self, Ledger};
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::stage::Stage;

pub(crate) const MUTEX: Primitive =
    Primitive { name: "mutex", lay: |stage| Box::new(Played::new(stage)), scenes: SCENES };

/// Scenes in which somebody else has the lock when the round begins.
const HELD: &str = "held";
/// A player takes the lock, another sleeps for it; then the first releases it.
const AWAITED: &str = "awaited";

const SCENES: &[Scene] = &[
    Scene::FREE_FOR_ALL,
    Scene::FREE_FOR_ALL.held(HELD, &[Act::Kill, Act::Storm, Act::Namespaces, Act::Step]),
    Scene::FREE_FOR_ALL.recovered(),
    Scene::FREE_FOR_ALL.step_by_step("alone", 0),
    Scene::FREE_FOR_ALL.step_by_step(AWAITED, 1),
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
