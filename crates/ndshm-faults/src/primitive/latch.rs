//! A latch, made anew for each round: three parties do their part, count down, and wait for the others.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, Latch, LatchError, Lost};

use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::{ORPHANER, Stage};
use crate::violation::Violation;

pub(crate) const LATCH: Primitive = Primitive {
    name: "latch",
    lay: |stage| Box::new(Played { stage, players: 0 }),
    scenes: SCENES,
};

const PARTIES: usize = 3;
const STEPS: u8 = 10;

/// Note of the arena: which round this is, as the others have to have worked for it.
const ROUND: usize = 0;
// Notes of a seat.
/// The round that it has worked for. Relaxed on purpose: the latch makes it seen.
const WORK: usize = 0;
/// What came of its wait.
const OUTCOME: usize = 1;
const OPENED: u64 = 1;
const BROKE: u64 = 2;

const PLAYED: Scene = Scene {
    name: "parties",
    rows: &["before its part", "counting down", "waiting"],
    row: |at| match at {
        At::Inside | At::Changing(_) | At::Changed => Some(0),
        At::Releasing => Some(1),
        At::Wanting => Some(2),
        _ => None,
    },
    players: PARTIES,
    kills: 2,
    pause: Duration::from_micros(40),
    together: true,
    acts: &[Act::Kill, Act::Storm, Act::Namespaces, Act::Forks],
    ..Scene::FREE_FOR_ALL
};

const SCENES: &[Scene] = &[
    PLAYED,
    Scene {
        rows: &["told of another"],
        row: |at| (at == At::Wanting).then_some(0),
        players: PARTIES - 1,
        pause: Duration::from_micros(200),
        ..PLAYED.orphaned()
    },
    PLAYED.step_by_step("last to come", PARTIES - 1),
];

struct Played {
    stage: Stage,
    players: usize,
}

const fn rank_of(seat: usize) -> usize {
    if seat == ORPHANER { PARTIES - 1 } else { seat - 1 }
}

impl Played {
    fn latch(&self) -> Latch<'static> {
        let cell = self.stage.arena.renewed();
        // SAFETY: room for the head and a line of parties, aligned to a page, mapped for the rest of
        // the process's life, zero at the start of each round; all use it in this way.
        let made = unsafe { Latch::at(cell, PARTIES, self.stage.members) };
        made.expect("a place for it")
    }

    fn note(&self, lost: &[Lost]) {
        for one in lost {
            match (one.why, one.member) {
                (Absence::Died, Some(member)) => self.stage.told_of(member.id),
                (Absence::Died, None) => {} // the survivor has said so
                _ => self.stage.report(Violation::Other, &format!("{one}, but it has died")),
            }
        }
    }

    fn round(&self) -> u64 {
        self.stage.control().notes[ROUND].load(SeqCst)
    }

    /// What all did before they counted down is seen.
    fn is_all_done(&self) {
        let round = self.round();
        let done = |seat: usize| self.stage.words_of(seat).notes[WORK].load(Relaxed) == round;
        let missing = (1..=PARTIES).find(|&seat| !done(seat) && !done(ORPHANER));
        if let Some(seat) = missing {
            self.stage.report(Violation::Torn, &format!("open, and seat {seat} has not worked"));
        }
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        self.latch().inspect().to_string()
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        self.players = scene.players;
        // With an orphan the round has begun already.
        if !scene.orphaned {
            self.stage.arena.renew();
            self.stage.control().notes[ROUND].fetch_add(1, SeqCst);
        }
        Ok(())
    }

    /// One that died before it had joined is waited for, until its launcher says that it will not come.
    fn finish(&mut self) {
        let latch = self.latch();
        for seat in 1..=self.players {
            let words = self.stage.words_of(seat);
            let outside = matches!(words.at(), At::Starting | At::Gate | At::Out | At::Inside);
            if !words.plays() && outside {
                latch.withdraw(rank_of(seat), Absence::Died);
            }
        }
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        let told = |seat: usize| self.stage.words_of(seat).told.load(SeqCst);
        let lives = |seat: usize| dead.iter().all(|one| one.seat != seat);
        let unfinished = |one: &Dead| {
            matches!(
                one.at,
                At::Starting | At::Gate | At::Out | At::Inside | At::Changing(_) | At::Changed
            )
        };
        for seat in (1..=PARTIES).filter(|&seat| lives(seat)) {
            let outcome = self.stage.words_of(seat).notes[OUTCOME].swap(0, SeqCst);
            if outcome == OPENED && dead.iter().any(unfinished) {
                let details = format!("it opened for seat {seat}, dead: {dead:?}");
                self.stage.report(Violation::Torn, &details);
            }
            let may_break = |one: &Dead| unfinished(one) || one.at == At::Releasing;
            if outcome == BROKE && !dead.iter().any(may_break) {
                let details = format!("it broke for seat {seat}, dead: {dead:?}");
                self.stage.report(Violation::Other, &details);
            }
            if told(seat) > 0 {
                let details = format!("seat {seat} lives, and was told to be dead");
                self.stage.report(Violation::Stolen, &details);
            }
        }
        self.stage.arena.renew();
        self.stage.control().notes[ROUND].fetch_add(1, SeqCst);
        Ok(dead.iter().map(|one| told(one.seat) > 0).collect())
    }

    fn turn(&mut self, _scene: &Scene) {
        let latch = self.latch();
        let rank = rank_of(self.stage.seat);
        self.stage.say(At::Inside);
        // One that is just joining locks its slot before it says so: see the barrier.
        let start = Instant::now();
        let party = loop {
            match latch.join(rank) {
                Ok(party) => break party,
                Err(LatchError::RankTaken { .. }) if start.elapsed() < self.stage.limit => {}
                Err(e) => return self.stage.report(Violation::Other, &e.to_string()),
            }
        };
        self.stage.say(At::Changing(0));
        self.stage.fork(|| matches!(latch.wait(), Err(LatchError::Forked)));
        for k in 1..=STEPS {
            self.stage.changing(k);
        }
        self.stage.words().notes[WORK].store(self.round(), Relaxed);
        self.stage.say(At::Changed);
        self.stage.say(At::Releasing);
        party.count_down();
        self.stage.say(At::Wanting);
        let outcome = match latch.wait() {
            Ok(()) => {
                self.is_all_done();
                OPENED
            }
            Err(LatchError::Broken { lost }) => {
                self.note(&lost);
                BROKE
            }
            Err(e) => return self.stage.report(Violation::Other, &e.to_string()),
        };
        self.stage.words().notes[OUTCOME].store(outcome, SeqCst);
        self.stage.done += 1;
        self.stage.say(At::Told);
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        match self.latch().wait_timeout(self.stage.limit) {
            Err(LatchError::Broken { lost }) => {
                self.note(&lost);
                Ok(true)
            }
            Err(e @ LatchError::TimedOut { .. }) => Err(Hang(e.to_string())),
            _ => Ok(false),
        }
    }
}
