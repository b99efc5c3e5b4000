//! Locks that are broken on purpose: the campaign has to find each.

use std::cell::Cell;
use std::process::exit;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use ndshm_faults::ledger::{self, Ledger};
use ndshm_faults::{Act, At, Dead, Hang, Primitive, Scene, Stage, Subject, Violation};
use ndshm_sync::MemberId;
use ndshm_testkit::{Child, Role, arguments};
use serde_json::Value;

/// What is wrong with the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Who takes over from the dead does not say so.
    IgnoresPoison,
    /// Who has not moved for some milliseconds counts as dead.
    StealsFromTheStopped,
    /// Some come in without it.
    LetsOthersIn,
    /// Some turns change nothing, and are counted.
    LosesTurns,
    /// The dead keep it.
    NeverTakesOver,
}

thread_local! {
    static PLANTED: Cell<Fault> = const { Cell::new(Fault::None) };
}

const SCENE: Scene = Scene {
    name: "free for all",
    rows: &["holder", "contender"],
    row: |at| if at.is_inside() { Some(0) } else { (at == At::Wanting).then_some(1) },
    players: 3,
    kills: 1,
    pause: Duration::from_micros(150),
    orphaned: false,
    together: false,
    bystanders: 0,
    acts: &[Act::Kill, Act::Stop],
};

const BROKEN: Primitive = Primitive {
    name: "broken",
    lay: |stage| Box::new(Played::new(stage)),
    scenes: &[SCENE, Scene { name: "alone", players: 1, acts: &[Act::Step], ..SCENE }],
};

/// A spin lock: a word for the owner, and those of the payload.
struct Played {
    stage: Stage,
    word: &'static AtomicU64,
    words: &'static [AtomicU64],
    fault: Fault,
}

impl Played {
    fn new(stage: Stage) -> Self {
        let (word, words) = stage.control().scratch.split_first().expect("room for it");
        assert!(ledger::fresh().iter().all(|&word| word == 0), "zeroed memory is no fresh payload");
        Self { stage, word, words, fault: PLANTED.get() }
    }

    /// Takes the lock; whether it was a dead one's. `None` when the time is up.
    fn lock(&self, limit: Duration) -> Option<bool> {
        let me = self.stage.members.me().to_bits();
        let start = Instant::now();
        loop {
            let owner = self.word.load(SeqCst);
            let dead = MemberId::from_bits(owner).is_some_and(|id| self.is_dead(id, start));
            if (owner == 0 || dead) && self.word.compare_exchange(owner, me, SeqCst, SeqCst).is_ok()
            {
                if dead && self.fault != Fault::IgnoresPoison {
                    self.stage.told_of(MemberId::from_bits(owner).expect("an owner"));
                }
                return Some(dead);
            }
            if self.fault == Fault::LetsOthersIn && me % 3 == 0 {
                return Some(false);
            }
            if start.elapsed() > limit {
                return None;
            }
            std::thread::yield_now();
        }
    }

    fn is_dead(&self, owner: MemberId, since: Instant) -> bool {
        match self.fault {
            Fault::NeverTakesOver => false,
            Fault::StealsFromTheStopped if since.elapsed() > Duration::from_millis(20) => true,
            _ => !self.stage.members.is_alive(owner),
        }
    }

    fn payload(&self) -> Ledger {
        std::array::from_fn(|i| self.words[i].load(SeqCst))
    }

    /// Word by word, as who holds a real lock does.
    fn write(&mut self, payload: &Ledger, mut written: impl FnMut(&mut Stage, u8)) {
        for (k, at) in (1..).zip(ledger::order(self.stage.seat)) {
            self.words[at].store(payload[at], SeqCst);
            written(&mut self.stage, k);
        }
    }

    fn enter(&mut self, was_dead: bool) {
        let told = was_dead && self.fault != Fault::IgnoresPoison;
        self.stage.go_inside(told);
        if told {
            let mut payload = self.payload();
            ledger::mend(&mut payload, || {});
            (0..payload.len()).for_each(|at| self.words[at].store(payload[at], SeqCst));
        } else if !ledger::is_whole(&self.payload()) {
            self.stage.report(Violation::Torn, "no word of it");
        }
    }

    fn leave(&self) {
        self.stage.go_outside();
        self.stage.say(At::Releasing);
        self.word.store(0, SeqCst);
    }
}

impl Subject for Played {
    fn inspect(&self) -> String {
        format!("owner {:#x}", self.word.load(SeqCst))
    }

    fn check(&mut self, dead: &[Dead]) -> Result<Vec<bool>, Hang> {
        let limit = self.stage.limit;
        let was_dead = self.lock(limit).ok_or_else(|| Hang("never had".to_owned()))?;
        self.enter(was_dead);
        ledger::audit(&self.payload(), &self.stage, dead, ledger::begun_is_done);
        self.leave();
        Ok(ledger::told(&self.stage, dead))
    }

    fn turn(&mut self, _scene: &Scene) {
        self.stage.say(At::Wanting);
        let Some(was_dead) = self.lock(Duration::from_secs(60)) else { return };
        if was_dead {
            self.stage.say(At::Mending);
        }
        self.enter(was_dead);
        self.stage.say(At::Inside);
        self.stage.say(At::Changing(0));
        let mut payload = self.payload();
        ledger::take_turn(&mut payload, self.stage.seat, |_| {});
        if self.fault != Fault::LosesTurns || !self.stage.done.is_multiple_of(3) {
            self.write(&payload, Stage::changing);
        }
        self.stage.say(At::Changed);
        self.leave();
        self.stage.count_turn();
    }

    fn is_kept_by(&mut self, _seat: usize) -> bool {
        let had = self.lock(Duration::from_millis(45));
        if had.is_some() {
            self.word.store(0, SeqCst);
        }
        had.is_none()
    }
}

/// A campaign against one of them, in a process of its own.
pub(crate) fn campaign() {
    let fault = match arguments()[0].as_str() {
        "poison" => Fault::IgnoresPoison,
        "steals" => Fault::StealsFromTheStopped,
        "lets-in" => Fault::LetsOthersIn,
        "loses" => Fault::LosesTurns,
        "keeps" => Fault::NeverTakesOver,
        _ => Fault::None,
    };
    PLANTED.set(fault);
    let line = ["faults", "--rounds", "400", "--limit", "2", "--seed", &arguments()[1], "--json"];
    exit(ndshm_faults::run(line.map(str::to_owned), &[BROKEN]).into());
}

/// What the campaign found: its exit status, and how many violations of each kind.
fn found(plant: &str, seed: u32) -> (Option<i32>, Value) {
    let mut child: Child =
        Role::new("plant::campaign").arg(plant).arg(seed.to_string()).piped().spawn();
    let lines = std::iter::from_fn(|| Some(child.line()).filter(|line| !line.is_empty()));
    let report: String = lines.collect();
    let status = child.wait(Duration::from_secs(100)).code();
    let report: Value = serde_json::from_str(&report).expect("a report");
    println!("  {}", report["totals"]);
    (status, report["totals"].clone())
}

#[track_caller]
fn is_found(plant: &str, kind: &str) {
    // 400 rounds stop an owner two or three times, and may meet none of them inside.
    let found = (7..12).any(|seed| {
        let (status, totals) = found(plant, seed);
        status == Some(1) && totals[kind].as_u64() > Some(0)
    });
    assert!(found, "no {kind}");
}

pub(crate) fn poison_that_is_ignored_is_found() {
    is_found("poison", "torn_taken_for_clean");
}

pub(crate) fn a_lock_stolen_from_a_stopped_owner_is_found() {
    is_found("steals", "stolen");
}

pub(crate) fn a_lock_that_lets_others_in_is_found() {
    is_found("lets-in", "stolen");
}

pub(crate) fn a_lock_that_nobody_takes_over_is_found() {
    is_found("keeps", "hangs");
}

pub(crate) fn an_update_that_is_lost_is_found() {
    is_found("loses", "lost_updates");
}

pub(crate) fn the_same_lock_without_a_fault_is_clean() {
    let (status, totals) = found("none", 7);
    assert_eq!(status, Some(0), "{totals}");
}
