//! What one gives and another takes: a signalling semaphore, events, an event count.

mod kinds;

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use ndshm_sync::{Layout, Members, SignalSemaphore};

use self::kinds::{Auto, Counted, Manual};
use crate::arena::Control;
use crate::scene::{Act, Dead, Hang, Primitive, Scene, Subject};
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

pub(crate) const SIGNAL_SEMAPHORE: Primitive =
    Primitive { name: "signal-semaphore", lay: lay::<SignalSemaphore<'static>>, scenes: SCENES };
pub(crate) const AUTO_EVENT: Primitive =
    Primitive { name: "event-auto", lay: lay::<Auto>, scenes: SCENES };
pub(crate) const MANUAL_EVENT: Primitive =
    Primitive { name: "event-manual", lay: lay::<Manual>, scenes: SCENES };
pub(crate) const EVENT_COUNT: Primitive =
    Primitive { name: "event-count", lay: lay::<Counted>, scenes: SCENES };

// Notes of the arena.
/// The round comes to its end, and nobody waits any more.
const OVER: usize = 0;
/// How often was given, counted before it is. Relaxed on purpose: the primitive makes it seen.
const GIVEN: usize = 1;
/// How often was taken, counted after it was.
const TAKEN: usize = 2;
/// What an event count counts the changes of.
const VERSION: usize = 3;

/// The victim gives, while another sleeps for it.
const GIVER: &str = "giver";
/// The victim takes, and sleeps until the survivor gives.
const TAKER: &str = "taker";

const PLAYED: Scene = Scene {
    name: "giving and taking",
    rows: &["giver", "taker"],
    row: |at| match at {
        At::Changing(_) | At::Releasing => Some(0),
        At::Wanting => Some(1),
        _ => None,
    },
    pause: Duration::from_micros(150),
    acts: &[Act::Kill, Act::Storm, Act::Namespaces, Act::Forks],
    ..Scene::FREE_FOR_ALL
};

const SCENES: &[Scene] = &[PLAYED, PLAYED.step_by_step(GIVER, 2), PLAYED.step_by_step(TAKER, 0)];

/// Something that is given and taken.
trait Channel: Sized + 'static {
    fn lay(layout: &mut Layout<'static>, on: &On) -> Self;
    fn give(&self, on: &On);
    /// Waits for it.
    fn take(&self, on: &On);
    /// Takes what is there, and does not wait; whether there was something.
    fn take_left(&self, on: &On) -> bool;
    /// Whether it refuses a forked child.
    fn refuses(&self, on: &On) -> bool;
    fn inspect(&self) -> String;
    /// Each can be taken once only.
    const ONCE: bool;
    /// What is there, where none is lost.
    fn left(&self) -> Option<u64>;
}

/// Where a channel is used.
#[derive(Clone, Copy)]
struct On {
    members: &'static Members<'static>,
    control: &'static Control,
}

impl On {
    fn is_over(&self) -> bool {
        self.control.notes[OVER].load(SeqCst) != 0
    }
}

fn lay<C: Channel>(stage: Stage) -> Box<dyn Subject> {
    let on = On { members: stage.members, control: stage.control() };
    let channel = C::lay(&mut stage.members.layout(), &on);
    Box::new(Played { stage, on, channel, scene: PLAYED.name, before: 0 })
}

struct Played<C> {
    stage: Stage,
    on: On,
    channel: C,
    /// The survivor's.
    scene: &'static str,
    /// Given less taken, as the last check found it, less what the seats counted then.
    before: u64,
}

impl<C: Channel> Played<C> {
    fn note(&self, which: usize) -> &'static std::sync::atomic::AtomicU64 {
        &self.stage.control().notes[which]
    }

    fn give(&mut self) {
        self.stage.say(At::Changing(0));
        let (on, channel) = (self.on, &self.channel);
        self.stage.fork(|| channel.refuses(&on));
        for k in 1..=5 {
            self.stage.changing(k);
        }
        self.note(GIVEN).fetch_add(1, Relaxed);
        self.stage.say(At::Releasing);
        self.channel.give(&self.on);
        self.stage.count_turn();
    }

    fn take(&mut self) {
        // Said before it looks: either it sees that the round is over, or the survivor that it waits.
        self.stage.say(At::Wanting);
        if self.on.is_over() && !self.stage.once {
            return self.stage.say(At::Out);
        }
        self.channel.take(&self.on);
        if C::ONCE {
            let taken = self.note(TAKEN).fetch_add(1, Relaxed) + 1;
            let given = self.note(GIVEN).load(Relaxed);
            if taken > given {
                let details = format!("{taken} were taken of {given} given");
                self.stage.report(Violation::Lost, &details);
            }
        }
        self.stage.count_turn();
    }

    fn survivor_gives(&self) {
        self.note(GIVEN).fetch_add(1, Relaxed);
        self.channel.give(&self.on);
    }

    /// What the seats say was given, less what they say was taken; modulo 2^64.
    fn counted(&self) -> u64 {
        self.stage.others().fold(0_u64, |sum, seat| {
            let done = self.stage.words_of(seat).read().0;
            if gives(self.scene, seat) { sum.wrapping_add(done) } else { sum.wrapping_sub(done) }
        })
    }

    /// Where none is lost: what is there is what was given less what was taken, to within what the dead
    /// had in hand.
    fn conserves(&mut self, dead: &[Dead]) {
        let Some(left) = self.channel.left() else { return };
        let expected = self.counted().wrapping_add(self.before);
        let more = dead.iter().filter(|one| one.at == At::Releasing).count() as u64;
        let less = dead.iter().filter(|one| one.at == At::Wanting).count() as u64;
        let surplus = left.wrapping_sub(expected).wrapping_add(less);
        if surplus > more + less {
            let details = format!("{left} are left, {expected} expected; dead: {dead:?}");
            self.stage.report(Violation::Lost, &details);
        }
    }
}

fn gives(scene: &str, seat: usize) -> bool {
    match scene {
        GIVER => seat == 1,
        TAKER => false,
        _ => seat % 2 == 1,
    }
}

impl<C: Channel> Subject for Played<C> {
    fn inspect(&self) -> String {
        self.channel.inspect()
    }

    fn prepare(&mut self, scene: &Scene) -> Result<(), Hang> {
        self.scene = scene.name;
        self.note(OVER).store(0, SeqCst);
        while self.channel.take_left(&self.on) {
            self.note(TAKEN).fetch_add(1, Relaxed);
        }
        self.before = self.channel.left().unwrap_or(0).wrapping_sub(self.counted());
        Ok(())
    }

    fn relent(&mut self) {
        self.survivor_gives();
        self.before = self.before.wrapping_add(1);
    }

    /// Gives until nobody waits.
    fn finish(&mut self) {
        self.note(OVER).store(1, SeqCst);
        let start = Instant::now();
        loop {
            self.relent();
            let waits = |&seat: &usize| {
                let words = self.stage.words_of(seat);
                words.plays() && words.at() == At::Wanting
            };
            let waiting = self.stage.others().filter(waits).count();
            if waiting == 0 || start.elapsed() > self.stage.limit / 2 {
                return;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        self.conserves(dead);
        Ok(vec![false; dead.len()])
    }

    fn turn(&mut self, scene: &Scene) {
        if self.on.is_over() && !self.stage.once {
            std::thread::yield_now();
            return;
        }
        if gives(scene.name, self.stage.seat) { self.give() } else { self.take() }
    }
}
