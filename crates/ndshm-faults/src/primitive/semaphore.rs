//! A semaphore of two permits: at each, one is inside.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{AcquireError, OnDeath, Semaphore, SemaphorePermit};

use crate::ledger;
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

pub(crate) const REPORTING: Primitive = Primitive {
    name: "semaphore",
    lay: |stage| Box::new(Played::new(stage, OnDeath::Report)),
    scenes: SCENES,
};

pub(crate) const RETURNING: Primitive = Primitive {
    name: "semaphore-returning",
    lay: |stage| Box::new(Played::new(stage, OnDeath::Return)),
    scenes: SCENES,
};

const PERMITS: usize = 2;
const STEPS: u8 = 10;

/// The survivor has all permits when the round begins.
const HELD: &str = "held";

const PLAYED: Scene = Scene { players: 5, ..Scene::FREE_FOR_ALL };

const SCENES: &[Scene] = &[
    PLAYED,
    PLAYED.held(HELD, &[Act::Kill, Act::Step]),
    PLAYED.orphaned(),
    PLAYED.step_by_step("alone", 0),
];

type Permit = SemaphorePermit<'static>;

struct Played {
    stage: Stage,
    semaphore: Semaphore<'static>,
    reports: bool,
    held: Vec<Permit>,
}

impl Played {
    fn new(stage: Stage, on_death: OnDeath) -> Self {
        let made = stage.members.layout().semaphore(PERMITS, on_death);
        let reports = on_death == OnDeath::Report;
        Self { stage, semaphore: made.expect("no place for it"), reports, held: Vec::new() }
    }

    /// Who has that permit, by seat; 0 for nobody.
    fn user(&self, permit: &Permit) -> &'static AtomicU64 {
        &self.stage.control().notes[permit.index()]
    }

    /// Checks what one may rely on that has a permit.
    fn enter(&self, got: Result<Permit, AcquireError<Permit>>) -> Option<Permit> {
        let (permit, told) = match got {
            Ok(permit) => (permit, false),
            Err(AcquireError::Reclaimed(reclaimed)) => {
                self.stage.say(At::Mending);
                self.stage.told_of(reclaimed.member().id);
                (reclaimed.into_inner(), true)
            }
            Err(_) => return None,
        };
        let before = self.user(&permit).swap(self.stage.seat as u64, SeqCst);
        if before != 0 && !told && self.reports {
            let details = format!("seat {before} has that permit as well");
            self.stage.report(Violation::Stolen, &details);
        }
        Some(permit)
    }

    fn leave(&self, permit: Permit) {
        // Said first: one that is stopped inside has its number there.
        self.stage.say(At::Releasing);
        let now = self.user(&permit).swap(0, SeqCst);
        if now != self.stage.seat as u64 {
            self.stage.report(Violation::Stolen, &format!("seat {now} had that permit as well"));
        }
        drop(permit);
    }

    /// All permits: those of the dead come back.
    fn all(&self, limit: Duration) -> Result<Vec<Permit>, Hang> {
        let one = |_| {
            let got = self.semaphore.acquire_timeout(limit);
            self.enter(got).ok_or_else(|| Hang(format!("a permit was not had in {limit:?}")))
        };
        (0..PERMITS).map(one).collect()
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        self.semaphore.inspect().to_string()
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        if scene.name == HELD {
            self.held = self.all(self.stage.limit)?;
        }
        Ok(())
    }

    fn relent(&mut self) {
        while let Some(permit) = self.held.pop() {
            self.leave(permit);
        }
    }

    fn assist(&mut self) -> Result<(), Hang> {
        let all = self.all(self.stage.limit)?;
        all.into_iter().for_each(|permit| self.leave(permit));
        Ok(())
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        self.relent();
        self.assist()?;
        if self.semaphore.available() != PERMITS {
            let details = format!("{} of {PERMITS} permits", self.semaphore.available());
            self.stage.report(Violation::Lost, &details);
        }
        if self.reports {
            return Ok(ledger::told(&self.stage, dead));
        }
        Ok(vec![false; dead.len()])
    }

    fn turn(&mut self, _scene: &Scene) {
        self.stage.say(At::Wanting);
        let got = self.semaphore.acquire();
        let Some(permit) = self.enter(got) else {
            return self.stage.report(Violation::Other, "no permit, without a time-out");
        };
        self.stage.say(At::Inside);
        let semaphore = self.semaphore;
        self.stage.fork(|| matches!(semaphore.acquire(), Err(AcquireError::Forked)));
        for k in 1..=STEPS {
            self.stage.changing(k);
        }
        self.stage.say(At::Changed);
        self.leave(permit);
        self.stage.count_turn();
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        let before = self.stage.words_of(crate::stage::ORPHANER).told.load(SeqCst);
        self.assist()?;
        let after = self.stage.words_of(crate::stage::ORPHANER).told.load(SeqCst);
        Ok(!self.reports || after > before)
    }

    fn is_kept_by(&mut self, seat: usize) -> bool {
        // One permit may be free, or given back meanwhile; that of the stopped one is not.
        let all = self.semaphore.acquire_timeout(Duration::from_millis(45)).ok();
        let both = self.semaphore.acquire_timeout(Duration::from_millis(45));
        let kept = self.stage.control().notes[..PERMITS]
            .iter()
            .any(|user| user.load(SeqCst) == seat as u64);
        let robbed = all.is_some() && both.is_ok();
        kept && !robbed
    }
}
