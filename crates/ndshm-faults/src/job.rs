//! What one worker has to do, and what it works with.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use ndshm_testkit::Rng;

use crate::arena::{Arena, Control};
use crate::child::{Birth, Child};
use crate::clock;
use crate::gate;
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::stage::{Death, ORPHANER, Stage};
use crate::storm;
use crate::tally::{Tally, add};
use crate::trace;
use crate::violation::Violation;

/// Violations after which a worker stops: more would say nothing new.
const ENOUGH: u64 = 20;

/// One act on one scene of a primitive, for one worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) primitive: Primitive,
    pub(crate) scene: &'static Scene,
    pub(crate) act: Act,
    pub(crate) arena: &'static Arena,
    /// Rounds that have to count.
    pub(crate) rounds: u64,
    pub(crate) seed: u64,
    pub(crate) limit: Duration,
    /// Which worker this is, of how many.
    pub(crate) worker: u64,
    pub(crate) workers: u64,
}

impl Job {
    pub(crate) fn control(&self) -> &'static Control {
        self.arena.control()
    }

    pub(crate) fn tally(&self) -> &'static Tally {
        &self.control().tally
    }

    pub(crate) fn rng(&self) -> Rng {
        let mut rng = Rng::new(self.seed ^ (self.worker + 1).wrapping_mul(0xd134_2543_de82_ef95));
        rng.next();
        rng
    }

    /// The survivor's side of the primitive.
    pub(crate) fn survivor(&self) -> Box<dyn Subject> {
        (self.primitive.lay)(Stage::enter(self.arena, crate::stage::SURVIVOR, self.limit))
    }

    /// Whether there is more to do: not all rounds counted, not too many missed, not all broken.
    pub(crate) fn goes_on(&self) -> bool {
        self.control().beat.fetch_add(1, Relaxed);
        let tally = self.tally();
        let broken: u64 =
            tally.rows.iter().flat_map(|row| &row.violations).map(|n| n.load(Relaxed)).sum();
        let (counted, missed) = (tally.rounds(), tally.missed.load(Relaxed));
        if missed > 200 + 20 * (counted + self.rounds) {
            self.report(&format!("{missed} kills missed what they were for, {counted} did not"));
            self.settle(0);
            return false;
        }
        counted < self.rounds && broken < ENOUGH
    }

    /// A player's whole life.
    pub(crate) fn play(&self, seat: usize, seed: u64) {
        let words = &self.control().seats[seat];
        words.clear();
        words.plays.store(1, SeqCst);
        if self.act == Act::Storm {
            storm::begin(&words.signals);
        }
        let mut stage = Stage::enter(self.arena, seat, self.limit);
        stage.done = words.read().0;
        stage.dwell = Some(Rng::new(seed));
        if self.act == Act::Forks {
            stage.forks = true;
            self.have_threads();
        }
        let mut subject = (self.primitive.lay)(stage);
        subject.ready(self.scene);
        loop {
            gate::pass(self.control(), seat, self.scene.together);
            subject.turn(self.scene);
        }
    }

    /// Threads that hold the allocator's locks at any moment.
    fn have_threads(&self) {
        // SAFETY: ignoring a signal runs no code of ours; children are reaped by the kernel.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for _ in 0..2 {
            std::thread::spawn(|| {
                loop {
                    std::hint::black_box(vec![0_u8; 1 << 12]);
                    std::thread::sleep(Duration::from_micros(50));
                }
            });
        }
    }

    /// One turn of one that is traced: it stops before, and ends after.
    pub(crate) fn play_traced(&self, seat: usize) {
        let words = &self.control().seats[seat];
        words.clear();
        words.plays.store(1, SeqCst);
        let mut stage = Stage::enter(self.arena, seat, self.limit);
        stage.done = words.read().0;
        stage.once = true;
        let mut subject = (self.primitive.lay)(stage);
        subject.ready(self.scene);
        trace::stop_here();
        subject.turn(self.scene);
        std::mem::forget(subject); // it leaves as the dead do
    }

    /// One that dies in the middle of its turn.
    pub(crate) fn orphan(&self, death: Death) -> std::io::Result<Child> {
        let words = &self.control().seats[ORPHANER];
        words.clear();
        words.plays.store(1, SeqCst);
        Child::spawn(Birth::Plain, || {
            let mut stage = Stage::enter(self.arena, ORPHANER, self.limit);
            stage.done = words.read().0;
            stage.death = Some(death);
            let mut subject = (self.primitive.lay)(stage);
            subject.ready(self.scene);
            subject.turn(self.scene);
        })
    }

    /// What is known of one that has died.
    pub(crate) fn dead(&self, seat: usize) -> Dead {
        let words = &self.control().seats[seat];
        let (done, at) = words.read();
        words.plays.store(0, SeqCst);
        add(&self.tally().kills, 1);
        Dead { seat, at, done }
    }

    pub(crate) fn report(&self, details: &str) {
        self.control().violations.report(Violation::Other, details);
    }

    /// Reports what hangs, and the state of it. To be called before anybody is killed for that.
    pub(crate) fn report_hang<T>(
        &self,
        subject: &dyn Subject,
        outcome: Result<T, Hang>,
    ) -> Result<T, Hang> {
        outcome.inspect_err(|Hang(details)| {
            let seats = self.control().seats.iter().map(|seat| format!("{:?}", seat.at()));
            let seats = seats.collect::<Vec<_>>().join(", ");
            let state = format!("{details}; {}; seats: {seats}", subject.inspect());
            self.control().violations.report(Violation::Hang, &state);
        })
    }

    /// Moves the violations seen since the last time to a row.
    pub(crate) fn settle(&self, row: usize) {
        if self.control().violations.any() {
            let row = &self.tally().rows[row];
            for (sum, n) in row.violations.iter().zip(self.control().violations.take()) {
                add(sum, n);
            }
        }
    }

    /// Notes when a dead one said that it would die.
    pub(crate) fn since_death(&self, seat: usize) -> Duration {
        clock::since(self.control().seats[seat].notes[crate::stage::DIED_AT].load(SeqCst))
    }
}
