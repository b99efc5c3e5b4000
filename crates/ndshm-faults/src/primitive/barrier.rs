//! A barrier: three parties that work for a phase, and meet, until one of them dies.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, Barrier, BarrierError, Lost, Party};

use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::{ORPHANER, Stage};
use crate::violation::Violation;

pub(crate) const BARRIER: Primitive =
    Primitive { name: "barrier", lay: |stage| Box::new(Played::new(stage)), scenes: SCENES };

const PARTIES: usize = 3;
/// Steps of the work for a phase.
const STEPS: u8 = 10;

/// One comes last to the meeting, so that the others sleep until the survivor lets it.
const FIRST: &str = "first to come";
/// Nobody dies: the survivor says after which phase they part.
const PARTED: &str = "parted";

// Notes of the arena.
/// The phase that a round begins with.
const BEGIN: usize = 0;
/// The last comes now.
const COME: usize = 1;
/// The phase after which all part; 0 for never.
const PART: usize = 2;

// Notes of a seat.
/// Phases that it has worked for. Relaxed on purpose: the barrier makes it seen.
const WORK: usize = 0;
/// The phase that was broken for it, plus 1; 0 for none.
const BROKEN: usize = 1;

const PARTY: Scene = Scene {
    name: "parties",
    rows: &["at work", "in the barrier", "told of another"],
    row: |at| match at {
        At::Out | At::Changing(_) => Some(0),
        At::Wanting => Some(1),
        At::Told => Some(2),
        _ => None,
    },
    players: PARTIES,
    kills: 2,
    pause: Duration::from_micros(200),
    together: true,
    acts: &[Act::Kill, Act::Storm, Act::Namespaces, Act::Forks],
    ..Scene::FREE_FOR_ALL
};

const SCENES: &[Scene] = &[
    PARTY,
    Scene {
        rows: &["breaker"],
        row: |at| (at == At::Wanting).then_some(0),
        players: PARTIES - 1,
        ..PARTY.orphaned()
    },
    Scene { name: PARTED, acts: &[Act::Stop], ..PARTY },
    PARTY.step_by_step("last to come", PARTIES - 1),
    PARTY.step_by_step(FIRST, PARTIES - 1),
];

struct Played {
    stage: Stage,
    barrier: Barrier<'static>,
    party: Option<Party<'static>>,
    parts: bool,
}

const fn rank_of(seat: usize) -> usize {
    if seat == ORPHANER { PARTIES - 1 } else { seat - 1 }
}

impl Played {
    fn new(stage: Stage) -> Self {
        let barrier = stage.members.layout().barrier(PARTIES).expect("no place for it");
        Self { stage, barrier, party: None, parts: false }
    }

    /// Works, meets the others, and checks that theirs is done. Whether there is another phase.
    fn one_phase(&mut self, scene: &Scene) -> bool {
        let phase = self.stage.done;
        self.stage.say(At::Changing(0));
        let barrier = self.barrier;
        self.stage.fork(|| barrier.join(0).is_err_and(|e| e == BarrierError::Forked));
        for k in 1..=STEPS {
            self.stage.changing(k);
        }
        self.stage.words().notes[WORK].store(phase + 1, Relaxed);
        self.stage.say(At::Wanting);
        if scene.name == FIRST && self.stage.seat == PARTIES {
            while self.stage.control().notes[COME].load(SeqCst) == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        let Some(party) = &mut self.party else { return false };
        match party.wait() {
            Ok(_) => {
                self.is_all_done(phase);
                self.stage.count_turn();
                let part = self.stage.control().notes[PART].load(SeqCst);
                !self.stage.once && part != phase + 1
            }
            Err(BarrierError::Broken { lost }) => {
                self.note(&lost);
                self.stage.words().notes[BROKEN].store(phase + 1, SeqCst);
                self.stage.say(At::Told);
                false
            }
            Err(e) => {
                self.stage.report(Violation::Other, &e.to_string());
                false
            }
        }
    }

    /// What all did before the meeting is seen after it.
    fn is_all_done(&self, phase: u64) {
        for seat in 1..=PARTIES {
            let work = self.stage.words_of(seat).notes[WORK].load(Relaxed);
            if work != phase + 1 && work != phase + 2 {
                let details = format!("seat {seat} is at {work} after phase {phase}: a half");
                self.stage.report(Violation::Torn, &details);
            }
        }
    }

    fn note(&self, lost: &[Lost]) {
        if lost.is_empty() {
            self.stage.report(Violation::Other, "broken, and nobody is lost");
        }
        for one in lost {
            match (one.why, one.member) {
                (Absence::Died, Some(member)) => self.stage.told_of(member.id),
                _ => self.stage.report(Violation::Other, &format!("{one}, but it has died")),
            }
        }
    }

    /// The phases that can have been broken by this death.
    fn possible(&self, dead: &Dead) -> RangeInclusive<u64> {
        let begin = self.stage.control().notes[BEGIN].load(SeqCst);
        match dead.at {
            At::Starting | At::Gate => begin..=begin,
            // Between two phases, or before the first: then the count is one from before.
            At::Out => dead.done.max(begin)..=dead.done.max(begin),
            At::Wanting => dead.done..=dead.done + 1,
            _ => dead.done..=dead.done,
        }
    }

    /// The phase that the living say was broken: all the same one, and one that these deaths can have
    /// broken.
    fn broken(&self, living: &[usize], dead: &[Dead]) -> u64 {
        let said = |seat: usize| self.stage.words_of(seat).notes[BROKEN].load(SeqCst);
        let all: Vec<u64> = living.iter().map(|&seat| said(seat)).collect();
        let Some(&first) = all.first() else {
            return dead.iter().map(|d| *self.possible(d).end()).max().unwrap_or(0);
        };
        if all.iter().any(|&one| one != first) {
            let details = format!("complete for one and broken for another: {all:?}");
            self.stage.report(Violation::Torn, &details);
        }
        let phase = first.saturating_sub(1);
        let most = dead.iter().map(|d| *self.possible(d).end()).min();
        if first == 0
            || most.is_some_and(|most| phase > most)
            || !dead.iter().any(|d| self.possible(d).contains(&phase))
        {
            let details = format!("phase {phase} is broken ({first}), dead: {dead:?}");
            self.stage.report(Violation::Other, &details);
        }
        all.into_iter().max().map_or(0, |most| most.saturating_sub(1))
    }

    /// Holds what was told against who died; whether anybody was told of each.
    fn told(&self, living: &[usize], dead: &[Dead]) -> Vec<bool> {
        let told = |seat: usize| self.stage.words_of(seat).told.load(SeqCst);
        for &seat in living {
            if told(seat) != 0 {
                let details = format!("seat {seat} lives, and was told to be dead");
                self.stage.report(Violation::Stolen, &details);
            }
        }
        let sum: u64 = dead.iter().map(|dead| told(dead.seat)).sum();
        if sum < living.len() as u64 {
            let details = format!("{} live, and were told {sum} times of {dead:?}", living.len());
            self.stage.report(Violation::Torn, &details);
        }
        dead.iter().map(|dead| told(dead.seat) > 0).collect()
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        self.barrier.inspect().to_string()
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        self.parts = scene.name == PARTED;
        let notes = &self.stage.control().notes;
        notes[COME].store(0, SeqCst);
        notes[PART].store(0, SeqCst);
        self.barrier.reset();
        Ok(())
    }

    fn relent(&mut self) {
        let notes = &self.stage.control().notes;
        notes[COME].store(1, SeqCst);
    }

    fn finish(&mut self) {
        let notes = &self.stage.control().notes;
        if self.parts && notes[PART].load(SeqCst) == 0 {
            // No party is further than one phase beyond any other.
            let phases = (1..=PARTIES).map(|seat| self.stage.words_of(seat).read().0);
            notes[PART].store(phases.max().unwrap_or(0) + 3, SeqCst);
        }
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        let notes = &self.stage.control().notes;
        if self.parts {
            notes[BEGIN].store(notes[PART].load(SeqCst), SeqCst);
            return Ok(Vec::new());
        }
        let plays = |seat: usize| {
            dead.iter().all(|dead| dead.seat != seat)
                && self.stage.words_of(seat).notes[WORK].load(Relaxed) != 0
        };
        let living: Vec<usize> = (1..=PARTIES).filter(|&seat| plays(seat)).collect();
        let broken = self.broken(&living, dead);
        let told = self.told(&living, dead);
        for &seat in &living {
            self.stage.words_of(seat).notes[BROKEN].store(0, SeqCst);
        }
        notes[BEGIN].store(broken + 1, SeqCst);
        Ok(told)
    }

    fn ready(&mut self, _scene: &Scene) {
        // One that is just joining locks its slot before it says so: for that moment the one that died
        // in the same slot before it counts as alive, and its rank as taken.
        let start = Instant::now();
        while self.party.is_none() {
            match self.barrier.join(rank_of(self.stage.seat)) {
                Ok(party) => self.party = Some(party),
                Err(BarrierError::RankTaken { .. }) if start.elapsed() < self.stage.limit => {
                    std::thread::yield_now();
                }
                Err(e) => return self.stage.report(Violation::Other, &e.to_string()),
            }
        }
    }

    fn turn(&mut self, scene: &Scene) {
        self.stage.done = self.stage.control().notes[BEGIN].load(SeqCst);
        while self.one_phase(scene) {}
    }

    fn take_over(&mut self) -> Result<bool, Hang> {
        self.barrier.reset();
        let mut party = self.barrier.join(0).map_err(|e| Hang(e.to_string()))?;
        match party.wait_timeout(self.stage.limit) {
            Err(BarrierError::Broken { lost }) => {
                self.note(&lost);
                Ok(true)
            }
            Err(e @ BarrierError::TimedOut { .. }) => Err(Hang(e.to_string())),
            _ => Ok(false),
        }
    }

    fn is_kept_by(&mut self, _seat: usize) -> bool {
        std::thread::sleep(Duration::from_millis(50));
        !self.barrier.is_broken()
    }
}
