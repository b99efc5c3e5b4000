//! What a primitive has to say of itself, for its processes to be killed.

use std::time::Duration;

use crate::seat::At;
use crate::stage::Stage;

/// A primitive under test.
#[derive(Clone, Copy, Debug)]
pub struct Primitive {
    /// As `--only` names it.
    pub name: &'static str,
    /// Finds its place in the region, in whatever process.
    pub lay: fn(Stage) -> Box<dyn Subject>,
    /// What is done to it.
    pub scenes: &'static [Scene],
}

/// A game that players play until they are killed, and which kills count.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Told apart by it.
    pub name: &'static str,
    /// What the victims are doing when the kill counts: the rows of the table.
    pub rows: &'static [&'static str],
    /// Which row a victim belongs to that was at this; `None` counts as missed. Step by step all
    /// count, and the row is called as the scene.
    pub row: fn(At) -> Option<usize>,
    /// How many play at once, the victims among them; at most 6.
    pub players: usize,
    /// How many of them are killed in a round, at most.
    pub kills: usize,
    /// The most that passes between the start of a round and a kill.
    pub pause: Duration,
    /// Each round begins with what one left that died in the middle of a turn.
    pub orphaned: bool,
    /// Nobody is killed, and no round ends, before all have begun it: for meetings of all.
    pub together: bool,
    /// How many others play while one is killed step by step.
    pub bystanders: usize,
    /// What is done in this scene.
    pub acts: &'static [Act],
}

impl Scene {
    /// All play, and some are killed, stopped, disturbed at any moment: what other scenes are variants of.
    pub(crate) const FREE_FOR_ALL: Self = Self {
        name: "free for all",
        rows: &["holder", "releasing", "waiting"],
        row: |at| match at {
            at if at.is_inside() => Some(0),
            At::Releasing => Some(1),
            At::Wanting => Some(2),
            _ => None,
        },
        players: 4,
        kills: 3,
        pause: Duration::from_micros(120),
        orphaned: false,
        together: false,
        bystanders: 0,
        acts: &[Act::Kill, Act::Storm, Act::Namespaces, Act::Forks, Act::Stop],
    };

    /// The same game, where what a dead one left has to be taken over first.
    pub(crate) const fn orphaned(self) -> Self {
        Self {
            name: "orphaned",
            pause: Duration::from_micros(250),
            orphaned: true,
            acts: &[Act::Kill, Act::Recycled, Act::Step, Act::Orphaned, Act::OrphanedInWait],
            ..self
        }
    }

    /// The same, with what a lock's waiters do about it told apart.
    pub(crate) const fn recovered(self) -> Self {
        Self {
            rows: &["recoverer", "beside a recoverer"],
            row: |at| match at {
                At::Mending => Some(0),
                At::Wanting => Some(1),
                _ => None,
            },
            players: 3,
            ..self.orphaned()
        }
    }

    /// The same game, where the survivor has what all want: they wait.
    pub(crate) const fn held(self, name: &'static str, acts: &'static [Act]) -> Self {
        Self {
            name,
            rows: &["waiting"],
            row: |at| (at == At::Wanting).then_some(0),
            pause: Duration::from_micros(300),
            bystanders: 1,
            acts,
            ..self
        }
    }

    /// One turn of the game, killed at each of its instructions, beside so many others.
    pub(crate) const fn step_by_step(self, name: &'static str, bystanders: usize) -> Self {
        Self { name, bystanders, acts: &[Act::Step], ..self }
    }
}

/// What is done to the players of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// SIGKILL at random moments.
    Kill,
    /// The same, while every player takes ten thousand signals a second.
    Storm,
    /// The same, with players that all have the process id 1, in PID namespaces of their own.
    Namespaces,
    /// The same, with players that have the process id of the one that died before them.
    Recycled,
    /// The same, with players that have threads and fork with the thing in hand.
    Forks,
    /// SIGSTOP at random moments: who is stopped is waited for; then SIGCONT.
    Stop,
    /// SIGKILL before each instruction of a turn, one after another, under `ptrace`.
    Step,
    /// What is had at once where it was orphaned before: how soon.
    Orphaned,
    /// The same, where it was orphaned during the wait.
    OrphanedInWait,
}

impl Act {
    /// What the table says of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Storm => "kill in a signal storm",
            Self::Namespaces => "kill, equal pids",
            Self::Recycled => "kill, recycled pid",
            Self::Forks => "kill, forking threads",
            Self::Stop => "stop",
            Self::Step => "kill at each instruction",
            Self::Orphaned => "orphaned before",
            Self::OrphanedInWait => "orphaned in the wait",
        }
    }
}

/// One that a kill hit.
#[derive(Clone, Copy, Debug)]
pub struct Dead {
    /// Its seat.
    pub seat: usize,
    /// What it was doing.
    pub at: At,
    /// How many turns it had done.
    pub done: u64,
}

/// Why a round cannot be ended: somebody waited in vain.
#[derive(Clone, Debug)]
pub struct Hang(pub String);

/// A primitive as one process has it: the survivor, which prepares and checks; a player; or one
/// that orphans.
///
/// The survivor is never killed. It has seat 0. What breaks a promise is said by
/// [`Stage::report`], by whoever sees it.
pub trait Subject {
    /// The state of the primitive, for whoever has to find out why something hangs.
    fn inspect(&self) -> String;

    /// Survivor, before a round: nobody plays.
    ///
    /// # Errors
    ///
    /// [`Hang`], as for the others.
    fn prepare(&mut self, _scene: &Scene) -> Result<(), Hang> {
        Ok(())
    }

    /// Survivor, during a round, before, between or after the kills, and whenever a victim that is
    /// traced sleeps: lets go of what it has prepared with.
    fn relent(&mut self) {}

    /// Survivor, after the kills: has the living come to the end of their turns.
    fn finish(&mut self) {}

    /// Survivor, right after the kills, in most rounds: takes part itself once, so that those who sleep
    /// need not find out about a death after their slice of sleep. In the other rounds they do.
    ///
    /// # Errors
    ///
    /// [`Hang`].
    fn assist(&mut self) -> Result<(), Hang> {
        Ok(())
    }

    /// Survivor, after a round: the living are at the gate. Looks whether all is as it should be after
    /// these deaths, mends, and says of each whether others were told of it.
    ///
    /// # Errors
    ///
    /// [`Hang`].
    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang>;

    /// A player, before it comes to the gate, and once only.
    fn ready(&mut self, _scene: &Scene) {}

    /// A player: one turn. Calls [`Stage::say`] at every step, and [`Stage::changing`] in the middle:
    /// who is to orphan dies there.
    fn turn(&mut self, scene: &Scene);

    /// Survivor: takes what a dead one has left, or leaves while this waits, and mends it. `false` where
    /// nobody was told of the death.
    ///
    /// # Errors
    ///
    /// [`Hang`].
    fn take_over(&mut self) -> Result<bool, Hang> {
        Ok(false)
    }

    /// Survivor: whether the living one in that seat keeps from others what it has, now that it is
    /// stopped. Tries for some time to get it.
    fn is_kept_by(&mut self, _seat: usize) -> bool {
        true
    }
}
