//! Several processes claim, release, panic and die, one step at a time; each outcome is compared
//! with that of a model.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndarray::Ix2;
use ndshm_array::{ClaimError, PoisonedPart, ReadGuard, SharedArray2, WriteGuard};
use ndshm_testkit::{Child, Rng, Role, SharedMemory, arguments, until};

use crate::common::Name;

const ROWS: usize = 24;
const SEATS: usize = 4;
const STEPS: usize = 4000;
/// Bytes for a step or an outcome.
const LINE: usize = 4096;
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
enum Step {
    Claim { exclusive: bool, rows: Range<usize> },
    Release(usize),
    Panic(usize),
    Clear(usize),
}

/// Who, which rows, whether by a panic.
type By = (u32, Range<usize>, bool);

#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Had,
    Poisoned(Vec<By>),
    Overlap(By),
    Own(Range<usize>),
    Released,
    Cleared(bool),
}

enum Guard<'a> {
    Read(ReadGuard<'a, u64, Ix2>, Vec<u64>),
    Write(WriteGuard<'a, u64, Ix2>),
}

/// One that takes steps with the array.
struct Actor<'a> {
    a: &'a SharedArray2<u64>,
    held: Vec<Guard<'a>>,
}

impl<'a> Actor<'a> {
    fn take(&mut self, step: &Step) -> Outcome {
        let me = u64::from(process::id());
        match step {
            Step::Claim { exclusive: true, rows } => {
                let (guard, outcome) = Self::had(self.a.claim_mut(rows.clone()));
                if let Some(mut guard) = guard {
                    guard.fill(me);
                    self.held.push(Guard::Write(guard));
                }
                outcome
            }
            Step::Claim { exclusive: false, rows } => {
                let (guard, outcome) = Self::had(self.a.claim(rows.clone()));
                if let Some(guard) = guard {
                    let seen = guard.iter().copied().collect();
                    self.held.push(Guard::Read(guard, seen));
                }
                outcome
            }
            Step::Release(index) => {
                match self.held.remove(*index) {
                    Guard::Read(guard, seen) => assert!(guard.iter().eq(&seen), "it was written"),
                    Guard::Write(guard) => assert!(guard.iter().all(|x| *x == me), "intruder"),
                }
                Outcome::Released
            }
            Step::Panic(index) => {
                let guard = self.held.remove(*index);
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    let _guard = guard;
                    // No message: there would be hundreds.
                    std::panic::resume_unwind(Box::new(()));
                }));
                assert!(panicked.is_err());
                Outcome::Released
            }
            Step::Clear(index) => match &mut self.held[*index] {
                Guard::Write(guard) => Outcome::Cleared(guard.clear_poison().expect("not forked")),
                Guard::Read(..) => unreachable!("only writers are asked to"),
            },
        }
    }

    fn had<G>(result: Result<G, ClaimError<G>>) -> (Option<G>, Outcome) {
        match result {
            Ok(guard) => (Some(guard), Outcome::Had),
            Err(ClaimError::Poisoned(p)) => {
                let by = |part: &PoisonedPart| {
                    (part.member.pid.expect("known"), part.row_range(), part.panicked)
                };
                let parts = p.parts().iter().map(by).collect();
                (Some(p.into_inner()), Outcome::Poisoned(parts))
            }
            Err(ClaimError::Overlap { held, by, .. }) => {
                (None, Outcome::Overlap((by.pid.expect("known"), held.row_range(), false)))
            }
            Err(ClaimError::Own { held, .. }) => (None, Outcome::Own(held.row_range())),
            Err(e) => panic!("{e}"),
        }
    }
}

/// Steps and outcomes at the place of a seat: a word to count them, one for the length, the rest.
struct Line<'a>(&'a SharedMemory, usize);

impl Line<'_> {
    fn put(&self, count: u64, words: &[u64]) {
        assert!(words.len() < LINE / 8 - 2, "too much to say");
        self.0.word(self.1 + 8).store(words.len() as u64, SeqCst);
        for (i, word) in words.iter().enumerate() {
            self.0.word(self.1 + 16 + 8 * i).store(*word, SeqCst);
        }
        self.0.word(self.1).store(count, SeqCst);
    }

    fn get(&self, count: u64) -> Vec<u64> {
        until("the other side answers", LIMIT, || self.0.word(self.1).load(SeqCst) == count);
        let words = usize::try_from(self.0.word(self.1 + 8).load(SeqCst)).expect("a length");
        (0..words).map(|i| self.0.word(self.1 + 16 + 8 * i).load(SeqCst)).collect()
    }
}

fn range(start: u64, end: u64) -> Range<usize> {
    usize::try_from(start).expect("a row")..usize::try_from(end).expect("a row")
}

fn encode_step(step: &Step) -> [u64; 4] {
    match step {
        Step::Claim { exclusive, rows } => {
            [0, u64::from(*exclusive), rows.start as u64, rows.end as u64]
        }
        Step::Release(i) => [1, *i as u64, 0, 0],
        Step::Panic(i) => [2, *i as u64, 0, 0],
        Step::Clear(i) => [3, *i as u64, 0, 0],
    }
}

fn decode_step(w: &[u64]) -> Step {
    let index = usize::try_from(w[1]).expect("an index");
    match w[0] {
        0 => Step::Claim { exclusive: w[1] == 1, rows: range(w[2], w[3]) },
        1 => Step::Release(index),
        2 => Step::Panic(index),
        _ => Step::Clear(index),
    }
}

/// Who, rows and how in one word.
fn pack((pid, rows, panicked): &By) -> u64 {
    let [start, end] = [rows.start, rows.end].map(|row| row as u64);
    u64::from(*pid) << 32 | start << 16 | end << 8 | u64::from(*panicked)
}

fn unpack(word: u64) -> By {
    let rows = range(word >> 16 & 0xff, word >> 8 & 0xff);
    (u32::try_from(word >> 32).expect("32 bits"), rows, word & 1 == 1)
}

fn encode_outcome(outcome: &Outcome) -> Vec<u64> {
    match outcome {
        Outcome::Had => vec![0],
        Outcome::Poisoned(parts) => [1].into_iter().chain(parts.iter().map(pack)).collect(),
        Outcome::Overlap(by) => vec![2, pack(by)],
        Outcome::Own(rows) => vec![3, pack(&(0, rows.clone(), false))],
        Outcome::Released => vec![4],
        Outcome::Cleared(all) => vec![5, u64::from(*all)],
    }
}

fn decode_outcome(w: &[u64]) -> Outcome {
    match w[0] {
        0 => Outcome::Had,
        1 => Outcome::Poisoned(w[1..].iter().copied().map(unpack).collect()),
        2 => Outcome::Overlap(unpack(w[1])),
        3 => Outcome::Own(unpack(w[1]).1),
        4 => Outcome::Released,
        _ => Outcome::Cleared(w[1] == 1),
    }
}

/// Takes the steps that it is told.
pub(crate) fn actor() {
    let stage = SharedMemory::inherited();
    let [name, seat] = &arguments()[..] else { panic!("name and seat") };
    let seat: usize = seat.parse().expect("a seat");
    // SAFETY: all who have the name are these tests, which use claims.
    let a = unsafe { SharedArray2::<u64>::open(name) }.expect("it is there");
    let mut actor = Actor { a: &a, held: Vec::new() };
    let (steps, outcomes) = (Line(&stage, 2 * seat * LINE), Line(&stage, (2 * seat + 1) * LINE));
    for count in 1.. {
        let step = decode_step(&steps.get(count));
        outcomes.put(count, &encode_outcome(&actor.take(&step)));
    }
}

/// A claim or a poisoned part as it should be in the table.
#[derive(Clone, Debug)]
struct Entry {
    by: By,
    exclusive: bool,
    poisoned: bool,
}

/// What each process should have, and what is left of the dead.
#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.clone().any(|row| b.contains(&row))
}

impl Model {
    /// Checks an outcome, and takes the step.
    fn check(&mut self, pid: u32, step: &Step, outcome: &Outcome) {
        match step {
            Step::Claim { exclusive, rows } => {
                let met: Vec<_> = self.entries.iter().filter(|e| overlap(&e.by.1, rows)).collect();
                let against = |e: &&&Entry| !e.poisoned && (*exclusive || e.exclusive);
                let against: Vec<_> = met.iter().filter(against).collect();
                let poison: Vec<_> = met.iter().filter(|e| e.poisoned).collect();
                // A thread's own claims are told of before any other's.
                let own = against.iter().any(|e| e.by.0 == pid);
                let right = match outcome {
                    Outcome::Own(held) => against.iter().any(|e| e.by.0 == pid && e.by.1 == *held),
                    Outcome::Overlap(by) => !own && against.iter().any(|e| e.by == *by),
                    // All of them, whatever the order.
                    Outcome::Poisoned(parts) => {
                        let words = |parts: &mut dyn Iterator<Item = &By>| {
                            let mut words: Vec<u64> = parts.map(pack).collect();
                            words.sort_unstable();
                            words
                        };
                        let all = words(&mut poison.iter().map(|e| &e.by));
                        against.is_empty() && !all.is_empty() && all == words(&mut parts.iter())
                    }
                    Outcome::Had => against.is_empty() && poison.is_empty(),
                    _ => false,
                };
                assert!(right, "{pid}: {step:?}: {outcome:?}, among {:?}", self.entries);
                if against.is_empty() {
                    let by = (pid, rows.clone(), false);
                    self.entries.push(Entry { by, exclusive: *exclusive, poisoned: false });
                }
            }
            Step::Release(index) => {
                let at = self.held(pid, *index);
                self.entries.remove(at);
            }
            Step::Panic(index) => {
                let at = self.held(pid, *index);
                let entry = &mut self.entries[at];
                if entry.exclusive {
                    entry.poisoned = true;
                    entry.by.2 = true;
                } else {
                    self.entries.remove(at);
                }
            }
            Step::Clear(index) => {
                let rows = self.entries[self.held(pid, *index)].by.1.clone();
                let covered = |e: &Entry| rows.start <= e.by.1.start && e.by.1.end <= rows.end;
                let left = self
                    .entries
                    .iter()
                    .any(|e| e.poisoned && overlap(&e.by.1, &rows) && !covered(e));
                self.entries.retain(|e| !(e.poisoned && overlap(&e.by.1, &rows) && covered(e)));
                assert_eq!(*outcome, Outcome::Cleared(!left), "{rows:?}: {:?}", self.entries);
            }
        }
    }

    /// Where the claim of that index of that process stands.
    fn held(&self, pid: u32, index: usize) -> usize {
        self.of(pid).nth(index).expect("it holds one")
    }

    fn of(&self, pid: u32) -> impl Iterator<Item = usize> {
        let mine = move |e: &Entry| !e.poisoned && e.by.0 == pid;
        self.entries.iter().enumerate().filter(move |(_, e)| mine(e)).map(|(i, _)| i)
    }

    fn died(&mut self, pid: u32) {
        self.entries.retain(|e| e.poisoned || e.exclusive || e.by.0 != pid);
        self.entries.iter_mut().filter(|e| e.by.0 == pid).for_each(|e| e.poisoned = true);
    }

    fn next(&self, pid: u32, rng: &mut Rng) -> Step {
        let held: Vec<_> = self.of(pid).collect();
        let claim = held.is_empty() || held.len() < 5 && rng.chance(55);
        if claim {
            let mut edge = || rng.below(ROWS as u64 + 1) as usize;
            let (a, b) = (edge(), edge());
            // Mostly short ranges, or next to nothing would be had.
            let most = if rng.chance(80) { 4 } else { ROWS };
            let rows = a.min(b)..a.max(b).min(a.min(b) + most);
            return Step::Claim { exclusive: rng.chance(65), rows };
        }
        let index = rng.below(held.len() as u64) as usize;
        let exclusive = self.entries[held[index]].exclusive;
        match rng.below(10) {
            0 => Step::Panic(index),
            1..=4 if exclusive => Step::Clear(index),
            _ => Step::Release(index),
        }
    }
}

pub(crate) fn outcomes_are_those_of_the_model() {
    let (name, stage) = (Name::new("model"), SharedMemory::create(2 * SEATS * LINE));
    let a = SharedArray2::<u64>::options().name(&*name).zeros((ROWS, 3)).expect("room");
    let mut me = Actor { a: &a, held: Vec::new() };
    let mut rng = Rng::of_this_run();
    let spawn = |seat: usize| -> (Child, u64) {
        stage.word(2 * seat * LINE).store(0, SeqCst);
        stage.word((2 * seat + 1) * LINE).store(0, SeqCst);
        let role = Role::new("model::actor").shared(stage.file()).arg(&*name).arg(seat);
        (role.spawn(), 0)
    };
    let mut children: Vec<_> = (0..SEATS).map(spawn).collect();
    let mut model = Model::default();
    let (mut kills, mut counts) = (0, [0; 6]);
    for _ in 0..STEPS {
        let seat = rng.below(SEATS as u64 + 1) as usize;
        let outcome = if seat == SEATS {
            let step = model.next(process::id(), &mut rng);
            let outcome = me.take(&step);
            model.check(process::id(), &step, &outcome);
            outcome
        } else {
            let (child, count) = &mut children[seat];
            if rng.chance(3) {
                model.died(child.pid());
                child.kill();
                children[seat] = spawn(seat);
                kills += 1;
                continue;
            }
            let step = model.next(child.pid(), &mut rng);
            *count += 1;
            Line(&stage, 2 * seat * LINE).put(*count, &encode_step(&step));
            let outcome = decode_outcome(&Line(&stage, (2 * seat + 1) * LINE).get(*count));
            model.check(child.pid(), &step, &outcome);
            outcome
        };
        counts[encode_outcome(&outcome)[0] as usize] += 1;
    }
    let [had, poisoned, overlap, own, released, cleared] = counts;
    println!(
        "  {STEPS} steps: {had} had, {poisoned} poisoned, {overlap} overlap, {own} own, {released} \
         released, {cleared} cleared, {kills} kills: all as the model says"
    );
    assert!(counts.iter().all(|&n| n > 50) && kills > 30, "too little of something");
}
