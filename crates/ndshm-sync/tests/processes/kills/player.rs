//! One who locks, checks, changes and unlocks, and says on its page what it is doing.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{LockError, Members, Mutex, MutexGuard};
use ndshm_testkit::Rng;

use super::ledger::{self, Ledger};
use crate::arena::Arena;

/// What a process was doing, as its state word tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Has not come to its first lock.
    Starting,
    /// Between two turns.
    Out,
    /// In `lock`, or on the instruction after it.
    Waiting,
    /// Holds the lock of a dead one and mends what it guards.
    Recovering,
    /// Holds the lock, and may have written the first word.
    Before,
    /// Holds the lock, and has written that many words.
    Mid(usize),
    /// Has written all, and holds the lock or has just released it.
    Done,
    /// In `read`, or on the instruction after it.
    WaitingToRead,
    /// Holds a share of the lock, or has just released it.
    Reading,
}

impl At {
    fn bits(self) -> u64 {
        match self {
            Self::Starting => 0,
            Self::Out => 1,
            Self::Waiting => 2,
            Self::Recovering => 3,
            Self::Before => 4,
            Self::Done => 5,
            Self::WaitingToRead => 254,
            Self::Reading => 255,
            Self::Mid(k) => 6 + k as u64,
        }
    }

    fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::Starting,
            1 => Self::Out,
            2 => Self::Waiting,
            3 => Self::Recovering,
            4 => Self::Before,
            5 => Self::Done,
            254 => Self::WaitingToRead,
            255 => Self::Reading,
            k => Self::Mid(usize::try_from(k - 6).expect("a state of a few bits")),
        }
    }
}

/// The page of a player: its state and its completed turns in word 0, its next head in word 1.
#[derive(Clone, Copy)]
pub(crate) struct Seat {
    state: &'static AtomicU64,
    target: &'static AtomicU64,
}

impl Seat {
    pub(crate) fn new(arena: &Arena, page: usize) -> Self {
        Self { state: arena.word(page, 0), target: arena.word(page, 1) }
    }

    pub(crate) fn clear(self) {
        self.state.store(0, SeqCst);
        self.target.store(0, SeqCst);
    }

    pub(crate) fn say(self, done: u64, at: At) {
        self.state.store(done << 8 | at.bits(), SeqCst);
    }

    pub(crate) fn aim(self, head: u64) {
        self.target.store(head, SeqCst);
    }

    /// State and completed turns, in one load.
    pub(crate) fn read(self) -> (At, u64) {
        let word = self.state.load(SeqCst);
        (At::from_bits(word & 0xff), word >> 8)
    }

    pub(crate) fn target(self) -> u64 {
        self.target.load(SeqCst)
    }
}

/// What is written down of every take-over, under the lock, by whoever mends: so that a dead
/// player's last turn can be told to have happened or not.
pub(crate) struct Log<'a>(pub(crate) &'a Arena);

impl Log<'_> {
    const PAGE: usize = 1;
    const LENGTH: usize = 200;

    fn length(&self) -> usize {
        usize::try_from(self.0.word(Self::PAGE, 0).load(SeqCst)).expect("a short log")
    }

    pub(crate) fn add(&self, head: u64, culprit: u32) {
        let n = self.length();
        assert!(n < Self::LENGTH, "the log is full");
        self.0.word(Self::PAGE, 1 + 2 * n).store(head, SeqCst);
        self.0.word(Self::PAGE, 2 + 2 * n).store(culprit.into(), SeqCst);
        self.0.word(Self::PAGE, 0).store(n as u64 + 1, SeqCst);
    }

    /// The heads found and who was said to have died, since the last `take`.
    pub(crate) fn take(&self) -> Vec<(u64, u32)> {
        let entry = |n| {
            let [head, pid] = [1, 2].map(|k| self.0.word(Self::PAGE, k + 2 * n).load(SeqCst));
            (head, u32::try_from(pid).expect("a process id"))
        };
        let all = (0..self.length()).map(entry).collect();
        self.0.word(Self::PAGE, 0).store(0, SeqCst);
        all
    }
}

pub(crate) struct Player<'m> {
    arena: &'m Arena,
    mutex: Mutex<'m, Ledger>,
    seat: Seat,
    /// Unique among all that ever play in this arena.
    number: u64,
    done: u64,
    pub(crate) rng: Rng,
    /// The most that passes between two words.
    pub(crate) dwell: Duration,
}

type Guard<'m> = MutexGuard<'m, Ledger>;

impl<'m> Player<'m> {
    pub(crate) fn new(
        arena: &'m Arena,
        members: &'m Members<'m>,
        page: usize,
        number: u64,
    ) -> Self {
        let mutex = members.layout().mutex(ledger::of(0)).expect("no place for the mutex");
        let rng = Rng::new(number.wrapping_mul(0x1234_5678_9abc_def1));
        let dwell = Duration::from_micros(20);
        Self { arena, mutex, seat: Seat::new(arena, page), number, done: 0, rng, dwell }
    }

    pub(crate) fn say(&self, at: At) {
        self.seat.say(self.done, at);
    }

    /// Who is inside, by number. Nobody else may ever be.
    fn inside(&self) -> &'static AtomicU64 {
        self.arena.word(2, 0)
    }

    /// Locks, and checks what a locker may rely on. Whether it had to mend.
    pub(crate) fn lock(&mut self) -> (Guard<'m>, bool) {
        self.say(At::Waiting);
        match self.mutex.lock_timeout(Duration::from_secs(60)) {
            Ok(guard) => {
                let whole = ledger::is_whole(&guard);
                assert!(whole, "{}: a torn state taken for clean: {:x?}", self.number, *guard);
                let inside = self.inside().swap(self.number, SeqCst);
                assert_eq!(inside, 0, "{}: a lock stolen from the living", self.number);
                (guard, false)
            }
            Err(LockError::Poisoned(poisoned)) => {
                self.say(At::Recovering);
                assert!(!poisoned.panicked(), "{poisoned}");
                self.inside().store(self.number, SeqCst);
                let culprit = poisoned.member().pid.expect("its slot is not taken yet");
                let mut guard = poisoned.into_inner();
                let head = guard[0];
                Log(self.arena).add(head, culprit);
                // The first word is written whole or not at all: go forward to what it says.
                let (rng, dwell) = (&mut self.rng, self.dwell);
                ledger::write(&mut guard, head, |_| rng.pause(dwell));
                guard.clear_poison();
                (guard, true)
            }
            Err(e) => panic!("{}: a lock that hangs: {e}", self.number),
        }
    }

    pub(crate) fn change(&mut self, guard: &mut Guard<'m>) {
        let head = ledger::head(ledger::count(guard) + 1, self.number);
        self.seat.aim(head);
        self.say(At::Before);
        let (seat, done) = (self.seat, self.done);
        let (rng, dwell) = (&mut self.rng, self.dwell);
        ledger::write(guard, head, |k| {
            seat.say(done, At::Mid(k));
            rng.pause(dwell);
        });
    }

    pub(crate) fn unlock(&mut self, guard: Guard<'m>) {
        let inside = self.inside().swap(0, SeqCst);
        assert_eq!(inside, self.number, "somebody else was inside");
        drop(guard);
    }

    pub(crate) fn turn(&mut self) {
        let (mut guard, _) = self.lock();
        self.change(&mut guard);
        self.say(At::Done);
        self.unlock(guard);
        self.done += 1;
        self.say(At::Out);
    }
}
