//! A sequence lock around a ledger: odd seats write, even ones read.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use ndshm_sync::{LockError, Member, SeqLock};

use crate::ledger::{self, Ledger};
use crate::scene::{Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

pub(crate) const SEQLOCK: Primitive =
    Primitive { name: "seqlock", lay: |stage| Box::new(Played::new(stage)), scenes: SCENES };

const READING: &str = "alone, reading";

const PLAYED: Scene = Scene {
    rows: &["writer", "publishing", "reader", "waiting"],
    row: |at| match at {
        At::Inside | At::Changing(_) => Some(0),
        At::Changed => Some(1),
        At::Sharing => Some(2),
        At::Wanting => Some(3),
        _ => None,
    },
    ..Scene::FREE_FOR_ALL
};

const SCENES: &[Scene] = &[
    PLAYED,
    Scene { players: 3, ..PLAYED.orphaned() },
    PLAYED.step_by_step("alone, writing", 0),
    PLAYED.step_by_step(READING, 0),
];

struct Played {
    stage: Stage,
    lock: SeqLock<'static, Ledger>,
}

impl Played {
    fn new(stage: Stage) -> Self {
        let lock = stage.members.layout().seqlock(ledger::fresh()).expect("no place for it");
        Self { stage, lock }
    }

    /// Whoever reads, whatever writers do, sees a whole ledger, and never an older one.
    fn read(&mut self) {
        self.stage.say(At::Sharing);
        let first = self.whole();
        self.stage.dwell();
        let second = self.whole();
        if ledger::count(&second) < ledger::count(&first) {
            self.stage.report(Violation::Lost, "a reader saw an older value after a newer one");
        }
        self.stage.say(At::Out);
    }

    fn whole(&self) -> Ledger {
        let value = self.lock.read();
        if !ledger::is_whole(&value) {
            self.stage.report(Violation::Torn, &format!("half a value: {value:x?}"));
        }
        value
    }

    fn write(&mut self) {
        self.stage.say(At::Wanting);
        let (stage, lock) = (&mut self.stage, self.lock);
        let seat = stage.seat;
        let got = lock.update(|value| {
            stage.go_inside(true); // who died inside has left its number there
            stage.say(At::Inside);
            stage.say(At::Changing(0));
            ledger::take_turn(value, seat, |k| {
                if k == 4 {
                    stage
                        .fork(|| matches!(lock.try_write(ledger::fresh()), Err(LockError::Forked)));
                }
                stage.changing(k);
            });
            stage.go_outside();
            stage.say(At::Changed);
        });
        match got {
            Ok(lost) => self.note(lost),
            Err(e) => self.stage.report(Violation::Other, &e.to_string()),
        }
        self.stage.count_turn();
    }

    fn note(&self, lost: Option<Member>) {
        if let Some(member) = lost {
            self.stage.told_of(member.id);
        }
    }

    /// The survivor takes the writers' lock, and leaves the value as it is. (There is no time-out here:
    /// where this hangs, the supervisor notices.)
    fn visit(&self) -> Result<bool, Hang> {
        match self.lock.update(|_| {}) {
            Ok(lost) => {
                self.note(lost);
                Ok(lost.is_some())
            }
            Err(e) => Err(Hang(e.to_string())),
        }
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        self.lock.inspect().to_string()
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        // Nobody reads with a lock: a value must be had at once, whoever died.
        let start = Instant::now();
        self.whole();
        if start.elapsed() > self.stage.limit {
            return Err(Hang("a read".to_owned()));
        }
        self.visit()?;
        let value = self.whole();
        ledger::audit(&value, &self.stage, dead, |at| match at {
            // It is published after the last word of it is made.
            At::Changed => 0..=1,
            _ => 0..=0,
        });
        let told = |one: &Dead| {
            let told = self.stage.words_of(one.seat).told.load(SeqCst);
            let most = match one.at {
                At::Wanting | At::Inside | At::Changing(_) | At::Changed => 1,
                _ => 0,
            };
            if told > most {
                let details = format!("{one:?} died, and that was told {told} times");
                self.stage.report(Violation::Other, &details);
            }
            told > 0
        };
        for seat in self.stage.others().filter(|seat| dead.iter().all(|one| one.seat != *seat)) {
            if self.stage.words_of(seat).told.load(SeqCst) > 0 {
                let details = format!("seat {seat} lives, and was told to be dead");
                self.stage.report(Violation::Stolen, &details);
            }
        }
        Ok(dead.iter().map(told).collect())
    }

    fn assist(&mut self) -> Result<(), Hang> {
        self.visit().map(drop)
    }

    fn turn(&mut self, scene: &Scene) {
        let reads = self.stage.seat.is_multiple_of(2) || scene.name == READING;
        if reads { self.read() } else { self.write() }
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        self.visit()
    }

    fn is_kept_by(&mut self, seat: usize) -> bool {
        // A writer that is stopped keeps other writers out, and readers not. One that has made its value
        // may have published it, and released the lock.
        self.whole();
        self.stage.words_of(seat).at() == At::Changed
            || matches!(
                self.lock.update_timeout(Duration::from_millis(45), |_| {}),
                Err(LockError::TimedOut { .. })
            )
    }
}
