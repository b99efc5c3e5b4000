//! Claimants of parts of one array are killed, two at a time, while others go on: no two ever write an element at once,
//! nobody is kept from a part that is free, no update is lost, and just the parts of the dead are poisoned.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use ndarray::{Ix2, Slice, SliceInfo, SliceInfoElem, s};
use ndshm_array::{ClaimError, Part, PoisonedClaim, SharedArray2};
use ndshm_testkit::Rng;

use super::{Fault, Scene};

pub(super) const FAULT: Fault = Fault {
    name: "claims",
    rounds: 1_000,
    counts: &[
        "granted",
        "refused",
        "circles of waits",
        "seen poisoned",
        "left poisoned",
        "left nothing",
        "by the hermit",
    ],
    play,
};

const GRANTED: usize = 0;
const REFUSED: usize = 1;
const CIRCLES: usize = 2;
const POISONED: usize = 3;
const LEFT: usize = 4;
const LEFT_NOTHING: usize = 5;
const HERMIT: usize = 6;

const ROWS: usize = 24;
const COLUMNS: usize = 15;
/// Rows behind the others that one process has for itself.
const OWN: usize = 4;
const VICTIMS: usize = 2;
const SURVIVORS: u64 = 2;

/// Words: that all is over, and for each victim its process id, the number of claims that it has begun, and of the two
/// that it may have at once the part and how far it is.
const OVER: usize = 0;
const PIDS: usize = 1;
const BEGUN: usize = 3;
const PARTS: usize = 5;
const STATES: usize = 9;
/// For each element who writes it, and how often it was written.
const WRITERS: usize = 16;
const WRITES: usize = WRITERS + ROWS * COLUMNS;

/// How far a claim is. What is asked for may have been granted already, what is given back may be gone.
const NONE: u64 = 0;
const ASKED: u64 = 1;
const HELD: u64 = 2;

fn play(scene: &Scene) {
    let options = SharedArray2::<u64>::options().dir(&scene.dir).name("claims");
    let array = options.zeros((ROWS + OWN, COLUMNS)).expect("nobody else has the name");
    let mut others: Vec<_> =
        (1..=SURVIVORS).map(|me| scene.spawn(|| Actor::new(scene, me, None).act())).collect();
    others.push(scene.spawn(|| live_alone(scene)));
    let mut rng = scene.rng(0);
    while scene.goes_on() {
        let seeds: [u64; VICTIMS] = std::array::from_fn(|_| rng.next());
        for word in PIDS..WRITERS {
            scene.word(word).store(0, SeqCst);
        }
        let mut victims: Vec<_> = (0..VICTIMS)
            .map(|n| scene.spawn(|| Actor::new(scene, seeds[n], Some(n)).act()))
            .collect();
        for n in 0..VICTIMS {
            scene.until("it claims", || scene.word(BEGUN + n).load(SeqCst) > 1);
        }
        rng.pause(Duration::from_micros(150));
        for victim in &mut victims {
            scene.check(victim.kill(scene.limit), || "a killed claimant does not die".to_owned());
        }
        mend(scene, &array);
        scene.done(VICTIMS as u64);
    }
    scene.word(OVER).store(1, SeqCst);
    others.iter_mut().for_each(|one| scene.ends_well(one));
    let whole = array.read_timeout(scene.limit);
    scene.check(whole.is_ok(), || format!("in the end: {}", whole.unwrap_err()));
}

/// A part of the rows that are for all: along each axis from where, how many, how far apart. Fits a word, as `exclusive`
/// does, which it also says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    axes: [[usize; 3]; 2],
    exclusive: bool,
}

/// Elements of the rows that are for all.
type Elements = [bool; ROWS * COLUMNS];

impl Wish {
    fn random(rng: &mut Rng) -> Self {
        let mut axis = |len: usize| {
            let from = rng.below(len as u64) as usize;
            let step = 1 + if rng.chance(30) { rng.below(3) as usize } else { 0 };
            let most = (len - from).div_ceil(step) as u64;
            [from, 1 + rng.below(most.min(8)) as usize, step]
        };
        let axes = [axis(ROWS), axis(COLUMNS)];
        Self { axes, exclusive: rng.chance(70) }
    }

    fn to_word(self) -> u64 {
        let numbers = self.axes.into_iter().flatten();
        numbers.fold(u64::from(self.exclusive), |word, n| word << 8 | n as u64)
    }

    fn of_word(word: u64) -> Self {
        let number = |at: usize| (word >> (8 * (5 - at)) & 0xff) as usize;
        let axes = [[number(0), number(1), number(2)], [number(3), number(4), number(5)]];
        Self { axes, exclusive: word >> 48 == 1 }
    }

    fn slice(self) -> SliceInfo<[SliceInfoElem; 2], Ix2, Ix2> {
        let [rows, columns] = self.axes.map(|[from, len, step]| {
            let end = from + (len - 1) * step + 1;
            Slice::new(from as isize, Some(end as isize), step as isize)
        });
        s![rows, columns]
    }

    fn indices(self) -> impl Iterator<Item = [usize; 2]> {
        let [rows, columns] =
            self.axes.map(|[from, len, step]| (0..len).map(move |n| from + n * step));
        rows.flat_map(move |i| columns.clone().map(move |j| [i, j]))
    }

    fn meets(self, other: Self) -> bool {
        let mine: Vec<_> = self.indices().collect();
        other.indices().any(|index| mine.contains(&index))
    }
}

fn position([i, j]: [usize; 2]) -> usize {
    i * COLUMNS + j
}

fn all() -> impl Iterator<Item = [usize; 2]> {
    Wish { axes: [[0, ROWS, 1], [0, COLUMNS, 1]], exclusive: true }.indices()
}

/// Open in this process.
fn open(scene: &Scene) -> SharedArray2<u64> {
    let options = SharedArray2::<u64>::options().dir(&scene.dir);
    // SAFETY: all who have it open are of this module, and make claims.
    unsafe { options.open("claims") }.expect("it is there")
}

/// One that claims, writes, and lets go.
struct Actor<'a> {
    scene: &'a Scene,
    array: SharedArray2<u64>,
    rng: Rng,
    mark: u64,
    victim: Option<usize>,
}

impl<'a> Actor<'a> {
    fn new(scene: &'a Scene, seed: u64, victim: Option<usize>) -> Self {
        let pid = std::process::id();
        if let Some(n) = victim {
            scene.word(PIDS + n).store(pid.into(), SeqCst);
        }
        Self { scene, array: open(scene), rng: scene.rng(seed), mark: pid.into(), victim }
    }

    fn act(mut self) {
        while self.scene.word(OVER).load(SeqCst) == 0 {
            let wish = Wish::random(&mut self.rng);
            let second = self.rng.chance(40).then(|| Wish::random(&mut self.rng));
            match second {
                None => self.alone(wish),
                Some(second) if self.rng.chance(50) => self.one_after_the_other(wish, second),
                Some(second) => self.at_once([wish, second]),
            }
            self.scene.beat();
        }
    }

    /// Says how far this victim is with one of its claims.
    fn say(&self, which: usize, state: u64, wish: Wish) {
        let Some(victim) = self.victim else { return };
        let at = 2 * victim + which;
        if state == ASKED {
            self.scene.word(PARTS + at).store(wish.to_word(), SeqCst);
            self.scene.word(BEGUN + victim).fetch_add(1, SeqCst);
        }
        self.scene.word(STATES + at).store(state, SeqCst);
    }

    fn alone(&mut self, wish: Wish) {
        self.claim(0, wish, |_| {});
    }

    fn one_after_the_other(&mut self, first: Wish, second: Wish) {
        self.claim(0, first, |this| this.claim(1, second, |_| {}));
    }

    /// Claims, writes or reads, has `inside` done meanwhile, and lets go.
    fn claim(&mut self, which: usize, wish: Wish, inside: impl FnOnce(&mut Self)) {
        let patient = self.rng.chance(60);
        let timeout = if patient { self.scene.limit } else { Duration::ZERO };
        let array = self.array.clone();
        self.say(which, ASKED, wish);
        if wish.exclusive {
            let claimed = array.claim_mut_timeout(wish.slice(), timeout);
            if let Some(mut guard) = self.granted(claimed, &[wish], patient) {
                self.say(which, HELD, wish);
                self.begin(wish);
                guard.iter_mut().for_each(|n| *n += 1);
                self.end(wish);
                inside(self);
                self.say(which, ASKED, wish);
            }
        } else {
            let claimed = array.claim_timeout(wish.slice(), timeout);
            if let Some(guard) = self.granted(claimed, &[wish], patient) {
                let sum = guard.sum();
                inside(self);
                self.unwritten(wish);
                let now = guard.sum();
                self.scene.check(now == sum, || "what is read was written".to_owned());
            }
        }
        self.say(which, NONE, wish);
    }

    fn at_once(&mut self, wishes: [Wish; 2]) {
        let wishes = wishes.map(|wish| Wish { exclusive: true, ..wish });
        for (which, wish) in wishes.into_iter().enumerate() {
            self.say(which, ASKED, wish);
        }
        let array = self.array.clone();
        let claimed = array.claim_many_mut(wishes.map(Wish::slice), self.scene.limit);
        if let Some(mut guards) = self.granted(claimed, &wishes, true) {
            for (which, wish) in wishes.into_iter().enumerate() {
                self.say(which, HELD, wish);
                self.begin(wish);
                guards[which].iter_mut().for_each(|n| *n += 1);
                self.end(wish);
                self.say(which, ASKED, wish);
            }
        }
        for (which, wish) in wishes.into_iter().enumerate() {
            self.say(which, NONE, wish);
        }
    }

    /// The guard of a claim that went well; what else came of it was allowed, or is said.
    fn granted<G>(
        &self,
        claimed: Result<G, ClaimError<G>>,
        wishes: &[Wish],
        patient: bool,
    ) -> Option<G> {
        let count = |n: usize| self.scene.count(n).fetch_add(1, Relaxed);
        match claimed {
            Ok(guard) => {
                count(GRANTED);
                return Some(guard);
            }
            Err(ClaimError::Poisoned(poisoned)) => {
                count(POISONED);
                self.is_of_the_dead(&poisoned, wishes);
            }
            Err(ClaimError::Overlap { part, held, .. }) => {
                count(REFUSED);
                self.scene.check(!patient, || format!("{part} waited for {held} in vain"));
                let meets = all().any(|at| part.contains(&at) && held.contains(&at));
                self.scene.check(meets, || format!("{part} refused for {held}"));
            }
            // The first of two that one thread has, or wants.
            Err(ClaimError::Own { part, held }) => {
                let meets = all().any(|at| part.contains(&at) && held.contains(&at));
                self.scene.check(meets, || format!("{part} refused for its own {held}"));
                if let [a, b] = wishes {
                    self.scene.check(a.meets(*b), || format!("{a:?} and {b:?} taken for one"));
                }
            }
            Err(ClaimError::Deadlock { .. }) => {
                count(CIRCLES);
            }
            // Without a time-out nobody waits for the table's lock, which a stopped or killed one may have.
            Err(ClaimError::Busy { .. }) if !patient => {
                count(REFUSED);
            }
            Err(e) => self.scene.violation(&format!("{e}")),
        }
        None
    }

    fn is_of_the_dead<G>(&self, poisoned: &PoisonedClaim<G>, wishes: &[Wish]) {
        for left in poisoned.parts() {
            let dead = (0..VICTIMS).any(|n| {
                let pid = self.scene.word(PIDS + n).load(SeqCst);
                left.member.pid.is_none_or(|it| u64::from(it) == pid)
            });
            let mine = wishes.iter().any(|wish| wish.indices().any(|at| left.part.contains(&at)));
            self.scene.check(dead && mine && !left.panicked, || format!("told of {left}"));
        }
    }

    /// Nobody else has any of it.
    fn begin(&self, wish: Wish) {
        for at in wish.indices() {
            let before = self.scene.word(WRITERS + position(at)).swap(self.mark, SeqCst);
            self.scene
                .check(before == 0, || format!("{at:?} is written by {} and {before}", self.mark));
        }
    }

    fn end(&self, wish: Wish) {
        for at in wish.indices() {
            writes(self.scene, at).fetch_add(1, SeqCst);
            let mark = self.scene.word(WRITERS + position(at)).swap(0, SeqCst);
            self.scene.check(mark == self.mark, || format!("{at:?} was written by {mark} as well"));
        }
    }

    fn unwritten(&self, wish: Wish) {
        for at in wish.indices() {
            let writer = self.scene.word(WRITERS + position(at)).load(SeqCst);
            self.scene.check(writer == 0, || format!("{at:?} is read, and written by {writer}"));
        }
    }
}

fn writes(scene: &Scene, at: [usize; 2]) -> &'static AtomicU64 {
    scene.word(WRITES + position(at))
}

/// Has rows for itself, and is never kept from them.
fn live_alone(scene: &Scene) {
    let array = open(scene);
    let mut rng = scene.rng(77);
    while scene.word(OVER).load(SeqCst) == 0 {
        let from = ROWS + rng.below(OWN as u64) as usize;
        match array.claim_mut(from..ROWS + OWN) {
            Ok(mut guard) => guard.iter_mut().for_each(|n| *n += 1),
            // On a machine that is busy with other things, who has the table's lock may be without a processor for long:
            // that is no word about the part.
            Err(ClaimError::Busy { .. }) => {
                scene.count(REFUSED).fetch_add(1, Relaxed);
            }
            Err(e) => scene.violation(&format!("the hermit: {e}")),
        }
        scene.count(HERMIT).fetch_add(1, Relaxed);
        rng.pause(Duration::from_micros(20));
    }
}

/// Finds what the victims have left, and only that.
fn mend(scene: &Scene, array: &SharedArray2<u64>) {
    let claims: Vec<_> = (0..2 * VICTIMS)
        .map(|n| (scene.word(STATES + n).load(SeqCst), scene.word(PARTS + n).load(SeqCst), n / 2))
        .filter(|(state, ..)| *state != NONE)
        .map(|(state, word, victim)| (state, Wish::of_word(word), victim))
        .filter(|(_, wish, _)| wish.exclusive)
        .collect();
    let (mut guard, parts) = match array.claim_mut_timeout(..ROWS, scene.limit) {
        Ok(guard) => (guard, Vec::new()),
        Err(ClaimError::Poisoned(poisoned)) => {
            let parts: Vec<_> = poisoned.parts().to_vec();
            (poisoned.into_inner(), parts)
        }
        Err(e) => return scene.violation(&format!("nobody mends: {e}")),
    };
    scene.count(if parts.is_empty() { LEFT_NOTHING } else { LEFT }).fetch_add(1, Relaxed);
    for left in &parts {
        let known = claims.iter().any(|(_, wish, victim)| {
            let pid = scene.word(PIDS + victim).load(SeqCst);
            left.member.pid.is_none_or(|it| u64::from(it) == pid)
                && wish.indices().any(|at| left.part.contains(&at))
        });
        scene.check(known && !left.panicked, || format!("{left}, which it had not claimed"));
    }
    let poisoned = union(parts.iter().map(|left| &left.part));
    let sets: Vec<_> = claims.iter().map(|(_, wish, _)| elements(*wish)).collect();
    // What was asked for may have been granted, or not: the whole of it.
    let matches = (0_u32..1 << claims.len()).any(|chosen| {
        let is_in = |n: usize| chosen >> n & 1 == 1;
        let held = |n: usize| claims[n].0 == HELD;
        let fits = (0..claims.len()).all(|n| is_in(n) || !held(n));
        fits && (0..ROWS * COLUMNS)
            .all(|at| poisoned[at] == (0..sets.len()).any(|n| is_in(n) && sets[n][at]))
    });
    scene.check(matches, || format!("{parts:?} is poisoned after {claims:?}"));
    for at in all() {
        let (value, written) = (&mut guard[at], writes(scene, at).load(SeqCst));
        if poisoned[position(at)] {
            // Written, and not yet counted.
            scene.check(*value == written || *value == written + 1, || {
                format!("{at:?} is {value} after {written} writes, and somebody's death")
            });
            *value = written;
            scene.word(WRITERS + position(at)).store(0, SeqCst);
        } else {
            let writer = scene.word(WRITERS + position(at)).load(SeqCst);
            scene.check(*value == written && writer == 0, || {
                format!("{at:?} is {value} after {written} writes, the last by {writer}")
            });
        }
    }
    let cleared = guard.clear_poison();
    scene.check(cleared.is_ok_and(|all| all), || "not cleared".to_owned());
}

fn elements(wish: Wish) -> Elements {
    let mut set = [false; ROWS * COLUMNS];
    wish.indices().for_each(|at| set[position(at)] = true);
    set
}

fn union<'a>(parts: impl Iterator<Item = &'a Part>) -> Elements {
    let mut set = [false; ROWS * COLUMNS];
    for part in parts {
        all().filter(|at| part.contains(at)).for_each(|at| set[position(at)] = true);
    }
    set
}
