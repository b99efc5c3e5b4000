//! A reader-writer lock around a ledger: one seat in two reads.

use std::time::Duration;

use ndshm_sync::{LockError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::exclusive::{Exclusive, Got, Lock};
use crate::ledger::{self, Ledger};
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

pub(crate) const RWLOCK: Primitive =
    Primitive { name: "rwlock", lay: |stage| Box::new(Played::new(stage)), scenes: SCENES };

/// The survivor writes when the round begins.
const HELD: &str = "held";
/// The victim has the lock while another sleeps for it.
const WRITER_AWAITED: &str = "writer awaited";
const READER_AWAITED: &str = "reader awaited";
/// All victims read.
const READERS: &str = "readers";

const MIXED: Scene = Scene {
    rows: &["writer", "reader", "releasing", "waiting"],
    row: |at| match at {
        at if at.is_inside() => Some(0),
        At::Sharing => Some(1),
        At::Releasing => Some(2),
        At::Wanting => Some(3),
        _ => None,
    },
    ..Scene::FREE_FOR_ALL
};

const SCENES: &[Scene] = &[
    MIXED,
    MIXED.held(HELD, &[Act::Kill, Act::Step]),
    MIXED.recovered(),
    MIXED.step_by_step("alone, writing", 0),
    MIXED.step_by_step(READERS, 0),
    MIXED.step_by_step(WRITER_AWAITED, 1),
    MIXED.step_by_step(READER_AWAITED, 1),
];

/// With so few cells that readers meet in them.
type Tested = RwLock<'static, Ledger, 2>;

impl Lock for Tested {
    type Guard = RwLockWriteGuard<'static, Ledger>;

    fn lock(&self, limit: Option<Duration>) -> Got<Self::Guard> {
        limit.map_or_else(|| self.write(), |limit| self.write_timeout(limit)).into()
    }

    fn clear_poison(guard: &mut Self::Guard) {
        guard.clear_poison();
    }

    fn refuses(&self) -> bool {
        matches!(self.write(), Err(LockError::Forked))
            && matches!(self.read(), Err(LockError::Forked))
    }
}

struct Played {
    lock: Exclusive<Tested>,
    /// What a reader has prepared with.
    share: Option<RwLockReadGuard<'static, Ledger>>,
}

impl Played {
    fn new(stage: Stage) -> Self {
        let lock = stage.members.layout().rwlock_with(ledger::fresh()).expect("no place for it");
        Self { lock: Exclusive::new(stage, lock), share: None }
    }

    /// Shares, looks twice, and lets go.
    fn read(&mut self) {
        let held = self.share.take();
        let Some(guard) = held.or_else(|| self.wait_for_share()) else { return };
        self.lock.stage.say(At::Sharing);
        let before = *guard;
        let lock = self.lock.lock;
        self.lock.stage.fork(|| lock.refuses());
        self.lock.stage.dwell_longer();
        if !ledger::is_whole(&before) {
            self.lock.stage.report(Violation::Torn, &format!("no word of it: {before:x?}"));
        } else if *guard != before {
            self.lock.stage.report(Violation::Stolen, "it was written while it was read");
        }
        drop(guard);
        self.lock.stage.say(At::Out);
    }

    /// `None` where it was half-changed, and that was said: then a writer has mended it.
    fn wait_for_share(&mut self) -> Option<RwLockReadGuard<'static, Ledger>> {
        self.lock.stage.say(At::Wanting);
        match self.lock.lock.read() {
            Ok(guard) => return Some(guard),
            Err(LockError::Poisoned(poisoned)) => {
                drop(poisoned);
                self.write();
            }
            Err(e) => self.lock.stage.report(Violation::Other, &e.without_guard().to_string()),
        }
        None
    }

    fn write(&mut self) {
        self.lock.turn();
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        self.lock.lock.inspect().to_string()
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        if scene.name == HELD {
            self.lock.held = Some(self.lock.lock_for(self.lock.stage.limit)?);
        }
        Ok(())
    }

    fn relent(&mut self) {
        self.lock.relent();
    }

    fn assist(&mut self) -> Result<(), Hang> {
        self.lock.visit()
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        self.lock.check(dead)
    }

    fn ready(&mut self, scene: &Scene) {
        if scene.name == WRITER_AWAITED && self.lock.stage.seat == 1 {
            self.lock.held = self.lock.wait_for_it();
        }
        if scene.name == READER_AWAITED && self.lock.stage.seat == 1 {
            self.share = self.wait_for_share();
        }
    }

    fn turn(&mut self, scene: &Scene) {
        let seat = self.lock.stage.seat;
        match scene.name {
            READERS => self.read(),
            // Traced with the share in hand, while a writer waits for it.
            READER_AWAITED if seat == 1 => self.read(),
            READER_AWAITED => self.write(),
            _ if self.lock.held.is_none() && seat.is_multiple_of(2) => self.read(),
            _ => self.write(),
        }
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        self.lock.take_over()
    }

    fn is_kept_by(&mut self, _seat: usize) -> bool {
        self.lock.is_kept()
    }
}
