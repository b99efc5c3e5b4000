//! A value that is made once, anew for each round: whoever comes first makes it, or dies of it.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{OnceCell, OnceError};

use crate::ledger::{self, Ledger};
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

pub(crate) const ONCE_CELL: Primitive = Primitive {
    name: "once-cell",
    lay: |stage| Box::new(Played { stage, owes: false }),
    scenes: SCENES,
};

/// Note of a seat: the first word of the value that it saw.
const SAW: usize = 0;

/// All victims wait for what somebody else makes.
const WAITING: &str = "waiting";

const PLAYED: Scene = Scene {
    name: "first come",
    rows: &["maker", "made", "beside it"],
    row: |at| match at {
        At::Inside | At::Changing(_) => Some(0),
        At::Changed | At::Told => Some(1),
        At::Wanting => Some(2),
        _ => None,
    },
    players: 3,
    kills: 2,
    pause: Duration::from_micros(100),
    acts: &[Act::Kill, Act::Storm, Act::Namespaces, Act::Forks],
    ..Scene::FREE_FOR_ALL
};

const SCENES: &[Scene] =
    &[PLAYED, PLAYED.orphaned(), PLAYED.step_by_step("alone", 0), PLAYED.step_by_step(WAITING, 0)];

struct Played {
    stage: Stage,
    /// The survivor has to make it, for the others wait only.
    owes: bool,
}

impl Played {
    fn cell(&self) -> OnceCell<'static, Ledger> {
        let cell = self.stage.arena.renewed();
        // SAFETY: room for it, aligned to a page, mapped for the rest of the process's life, zero at
        // the start of each round; all use it in this way.
        let made = unsafe { OnceCell::at(cell, self.stage.members) };
        made.expect("a place for it")
    }

    /// The value, made by this seat where it comes first.
    fn make(&mut self, limit: Option<Duration>) -> Result<Ledger, OnceError> {
        let cell = self.cell();
        let stage = &mut self.stage;
        stage.say(At::Wanting);
        let make = || {
            stage.go_inside(true); // who died of it has left its number there
            stage.say(At::Inside);
            stage.say(At::Changing(0));
            let mut value = ledger::fresh();
            let seat = stage.seat;
            ledger::take_turn(&mut value, seat, |k| {
                if k == 4 {
                    // Or it is made by then, by another, after a death.
                    stage.fork(|| {
                        let refused = cell.set(ledger::fresh());
                        matches!(refused, Err(OnceError::Forked | OnceError::AlreadySet))
                    });
                }
                stage.dwell_longer();
                stage.changing(k);
            });
            stage.go_outside();
            stage.say(At::Changed);
            value
        };
        match limit {
            None => cell.get_or_init(make).copied(),
            Some(limit) => cell.get_or_init_timeout(limit, make).copied(),
        }
    }

    fn look_at(&self, value: &Ledger) {
        if !ledger::is_whole(value) || ledger::count(value) != 1 {
            self.stage.report(Violation::Torn, &format!("half a value: {value:x?}"));
        }
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        self.cell().inspect().to_string()
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        let before = self.cell().get().copied();
        let value = self.make(Some(self.stage.limit)).map_err(|e| Hang(e.to_string()))?;
        self.look_at(&value);
        if before.is_some_and(|before| before != value) {
            self.stage.report(Violation::Stolen, "it was made twice");
        }
        for seat in self.stage.others() {
            let saw = self.stage.words_of(seat).notes[SAW].swap(0, SeqCst);
            if saw != 0 && saw != value[0] {
                let details = format!("seat {seat} saw {saw:#x}, and it is {:#x}", value[0]);
                self.stage.report(Violation::Stolen, &details);
            }
        }
        self.stage.arena.renew();
        self.stage.control().inside.store(0, SeqCst);
        // Nobody is told: what the dead had begun was never seen.
        let taken_over = |one: &Dead| one.at.is_inside();
        Ok(dead.iter().map(taken_over).collect())
    }

    fn turn(&mut self, scene: &Scene) {
        let got = if scene.name == WAITING {
            self.stage.say(At::Wanting);
            self.cell().wait().copied()
        } else {
            self.make(None)
        };
        match got {
            Ok(value) => {
                self.look_at(&value);
                self.stage.words().notes[SAW].store(value[0], SeqCst);
            }
            Err(e) => self.stage.report(Violation::Other, &e.to_string()),
        }
        self.stage.done += 1;
        self.stage.say(At::Told);
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        self.owes = scene.name == WAITING;
        Ok(())
    }

    fn relent(&mut self) {
        if std::mem::take(&mut self.owes)
            && let Err(e) = self.make(Some(self.stage.limit))
        {
            self.stage.report(Violation::Hang, &e.to_string());
        }
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        self.make(Some(self.stage.limit)).map_err(|e| Hang(e.to_string()))?;
        Ok(true)
    }
}
