//! Those who are killed, and what they say of where they are.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use ndshm_array::SharedArray2;
use ndshm_testkit::{Rng, SharedMemory, arguments};

/// Rows of the array: the victims'; some that they only ever read; the bystander's.
pub(crate) const VICTIMS: usize = 24;
pub(crate) const READ: usize = 32;
pub(crate) const ROWS: usize = 40;
pub(crate) const COLUMNS: usize = 6;

/// The words: what the victim does, how often it did it; how far the bystander came.
pub(crate) const STATE: usize = 0;
pub(crate) const ROUNDS: usize = 8;
pub(crate) const BYSTANDER: usize = 64;

/// What a process was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// Nothing, between two rounds.
    Nothing,
    /// In the call that claims, or on the instruction after it.
    Claiming,
    /// It has the rows to write, and has not begun to.
    Holding,
    /// It has written that many of the rows.
    Writing(usize),
    /// It has the rows to read.
    Reading,
    /// It is letting go, or has.
    Releasing,
}

impl Doing {
    fn bits(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Claiming => 1,
            Self::Holding => 2,
            Self::Reading => 3,
            Self::Releasing => 4,
            Self::Writing(k) => 5 + k as u64,
        }
    }
}

/// The place where a process says what it does, in one store.
pub(crate) struct State(pub(crate) &'static AtomicU64);

impl State {
    pub(crate) fn of(stage: &SharedMemory) -> Self {
        Self(stage.word(STATE))
    }

    fn say(&self, doing: Doing, rows: &Range<usize>) {
        self.0.store(doing.bits() << 32 | (rows.start as u64) << 16 | rows.end as u64, SeqCst);
    }

    pub(crate) fn read(&self) -> (Doing, Range<usize>) {
        let word = self.0.load(SeqCst);
        let field = |shift: u32| usize::try_from(word >> shift & 0xffff).expect("16 bits");
        let doing = match field(32) {
            0 => Doing::Nothing,
            1 => Doing::Claiming,
            2 => Doing::Holding,
            3 => Doing::Reading,
            4 => Doing::Releasing,
            k => Doing::Writing(k - 5),
        };
        (doing, field(16)..field(0))
    }
}

fn set_up() -> (SharedMemory, SharedArray2<u64>, State, Rng) {
    let stage = SharedMemory::inherited();
    // SAFETY: all who have the name are these tests, which use claims.
    let a = unsafe { SharedArray2::<u64>::open(&arguments()[0]) }.expect("it is there");
    let state = State::of(&stage);
    let rng = Rng::new(arguments()[1].parse().expect("a seed"));
    (stage, a, state, rng)
}

fn some_rows(rng: &mut Rng) -> Range<usize> {
    let start = rng.below(VICTIMS as u64 - 1) as usize;
    start..start + 1 + rng.below((VICTIMS - start).min(6) as u64) as usize
}

/// Claims, writes row by row, lets go; all the while it reads other rows.
pub(crate) fn writer() {
    let (stage, a, state, mut rng) = set_up();
    let me = u64::from(std::process::id());
    let _reading = a.claim(VICTIMS..READ).expect("nobody writes there");
    loop {
        let rows = some_rows(&mut rng);
        state.say(Doing::Claiming, &rows);
        let mut guard = a.claim_mut_timeout(rows.clone(), Duration::from_secs(30)).expect("free");
        state.say(Doing::Holding, &rows);
        rng.pause(Duration::from_micros(30));
        for (k, mut row) in guard.rows_mut().into_iter().enumerate() {
            row.fill(me);
            state.say(Doing::Writing(k + 1), &rows);
            rng.pause(Duration::from_micros(20));
        }
        state.say(Doing::Releasing, &rows);
        drop(guard);
        state.say(Doing::Nothing, &rows);
        stage.word(ROUNDS).fetch_add(1, SeqCst);
    }
}

/// Claims to read.
pub(crate) fn reader() {
    let (stage, a, state, mut rng) = set_up();
    loop {
        let rows = some_rows(&mut rng);
        state.say(Doing::Claiming, &rows);
        let guard = a.claim_timeout(rows.clone(), Duration::from_secs(30)).expect("free");
        state.say(Doing::Reading, &rows);
        rng.pause(Duration::from_micros(60));
        state.say(Doing::Releasing, &rows);
        drop(guard);
        state.say(Doing::Nothing, &rows);
        stage.word(ROUNDS).fetch_add(1, SeqCst);
    }
}

/// Waits for rows that others have, by every kind of wait. It has begun once it has said that it
/// claims: whoever holds the rows finds it in no other state.
pub(crate) fn waiter() {
    let (stage, a, state, mut rng) = set_up();
    let claiming = |rows: &Range<usize>| {
        state.say(Doing::Claiming, rows);
        stage.word(ROUNDS).fetch_add(1, SeqCst);
    };
    for round in rng.next().. {
        let rows = some_rows(&mut rng);
        let long = Duration::from_secs(30);
        if round % 2 == 0 {
            claiming(&(0..0));
            let guard = a.claim_timeout(rows, long).expect("free");
            state.say(Doing::Reading, &(0..0));
            drop(guard);
        } else {
            claiming(&rows);
            let guard = a.claim_mut_timeout(rows.clone(), long).expect("free");
            state.say(Doing::Holding, &rows);
            drop(guard);
            state.say(Doing::Nothing, &rows);
        }
    }
}

/// Claims and lets go as fast as it can, so that it is often inside the table's lock. What the dead
/// left in its way it clears.
pub(crate) fn hammer() {
    let (stage, a, _, mut rng) = set_up();
    let progress = stage.word(arguments()[2].parse().expect("a word"));
    loop {
        let rows = some_rows(&mut rng);
        match a.claim_mut(rows) {
            Ok(guard) => drop(guard),
            Err(e) => {
                if let Some(mut guard) = e.into_guard() {
                    guard.clear_poison().expect("not forked");
                }
            }
        }
        progress.fetch_add(1, SeqCst);
    }
}

/// Goes about its own business in rows that nobody else wants: no death elsewhere disturbs it.
pub(crate) fn bystander() {
    let (stage, a, _, mut rng) = set_up();
    loop {
        let mut guard = a.claim_mut(READ..ROWS).expect("nobody else's rows");
        *guard += 1;
        drop(guard);
        stage.word(BYSTANDER).fetch_add(1, SeqCst);
        rng.pause(Duration::from_micros(400));
    }
}
