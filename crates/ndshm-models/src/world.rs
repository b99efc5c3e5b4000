//! What surrounds the state machines: the kernel's part, the parties, their deaths, and time.
//!
//! State that is not loom's lies in plain cells. loom runs one party at a time and lets another run
//! only in front of an operation of its own, so what follows such an operation up to the next is one
//! atomic step; and unlike loom's locks it orders no memory, as a system call does not promise to.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use loom::thread::{self, Thread, ThreadId};

use crate::atomic;
use crate::member::{MemberId, Members, Slots};

/// What a party unwinds with when it dies. Guards on its stack find that it is not theirs to act.
struct Died;

/// Who dies, and before which of its steps, counted from 0.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// The party.
    pub party: usize,
    /// Its step.
    pub step: usize,
}

/// Words of shared memory, all made before the first party runs.
pub(crate) struct Pool<A> {
    words: Vec<A>,
    taken: Cell<usize>,
}

impl<A> Pool<A> {
    fn new(most: usize, word: impl Fn() -> A) -> Self {
        Self { words: (0..most).map(|_| word()).collect(), taken: Cell::new(0) }
    }

    /// The number of the next word, from 1.
    pub(crate) fn take(&self) -> usize {
        self.taken.set(self.taken.get() + 1);
        assert!(self.taken.get() <= self.words.len(), "the world has too few words");
        self.taken.get()
    }

    pub(crate) fn get(&self, number: usize) -> &A {
        &self.words[number - 1]
    }
}

struct Sleeping {
    party: usize,
    thread: Thread,
    key: usize,
    /// Its sleep ends when time passes.
    timed: bool,
}

/// What the world knows of a party.
#[derive(Default)]
struct Party {
    thread: Cell<Option<ThreadId>>,
    steps: Cell<usize>,
    /// It made a sequentially consistent store, and no such load since.
    unfenced: Cell<bool>,
    /// How many ends of slices it has had.
    slices: Cell<usize>,
}

/// One execution.
pub struct World {
    pub(crate) words32: Pool<AtomicU32>,
    pub(crate) words64: Pool<AtomicU64>,
    pub(crate) slots: Slots,
    /// For each slot, whether its byte is locked, and by which party.
    bytes: Vec<(AtomicUsize, Cell<Option<usize>>)>,
    parties: Vec<Party>,
    /// For each party, where its light fences meet the heavy ones of others.
    fences: Vec<AtomicUsize>,
    sequential: AtomicUsize,
    clock: AtomicUsize,
    time_passed: Cell<bool>,
    sleeping: RefCell<VecDeque<Sleeping>>,
    /// How often all slices have ended.
    slices: Cell<usize>,
    death: Cell<Option<Death>>,
    /// From the death up to where the party's stack is unwound; nobody else runs meanwhile.
    dying: Cell<bool>,
    dead: Cell<Option<usize>>,
    traced: RefCell<Vec<String>>,
}

thread_local! {
    // Of std's kind: loom runs all its threads on one.
    static CURRENT: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

pub(crate) fn current() -> Rc<World> {
    CURRENT.with_borrow(|w| w.clone().expect("used outside of a model"))
}

/// One step of the running party: here it dies, if this is the one.
pub fn step() {
    let world = current();
    let Some(death) = world.death.get() else { return };
    let party = &world.parties[death.party];
    if party.thread.get() != Some(thread::current().id()) {
        return;
    }
    if party.steps.get() == death.step {
        world.death.set(None);
        world.dying.set(true);
        resume_unwind(Box::new(Died));
    }
    party.steps.set(party.steps.get() + 1);
}

/// Notes what the running party did, where tracing is on.
pub(crate) fn trace(what: impl FnOnce() -> String) {
    if TRACING.load(std::sync::atomic::Ordering::Relaxed) {
        let world = current();
        let party = world.running();
        world.traced.borrow_mut().push(format!(
            "{}: {}",
            party.map_or("-".into(), |p| p.to_string()),
            what()
        ));
    }
}

static TRACING: AtomicBool = AtomicBool::new(false);

/// From now on, has a panic in a model print what each party did before it. Slow.
pub fn trace_panics() {
    TRACING.store(true, std::sync::atomic::Ordering::Relaxed);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let world = CURRENT.with(|w| w.try_borrow().ok().and_then(|w| w.clone()));
        if let Some(world) = world {
            eprintln!("party: what it did");
            world.traced.borrow_mut().drain(..).for_each(|line| eprintln!("{line}"));
        }
        before(info);
    }));
}

/// Orders all that call it: what is before one in one party is seen after a later one in another.
fn sequential_fence() {
    current().sequential.fetch_add(1, Ordering::AcqRel);
}

/// Its store is not fenced yet against the next load of its kind.
pub(crate) fn note_unfenced_store() {
    let world = current();
    if let Some(party) = world.running() {
        world.parties[party].unfenced.set(true);
    }
}

/// Whether there was such a store since the last time.
pub(crate) fn take_unfenced_store() -> bool {
    let world = current();
    world.running().is_some_and(|party| world.parties[party].unfenced.take())
}

/// A full fence of the running party: meets others like it, and the heavy ones.
pub(crate) fn full_fence() {
    let world = current();
    sequential_fence();
    if let Some(party) = world.running() {
        world.light_fence(party);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// A world of so many parties, each a member of its own: of slot 0, 1, and so on. The member in
    /// the slot after these has died before; that in the next comes after all others.
    ///
    /// # Panics
    ///
    /// Never: the slots of a new world are free.
    pub fn new(parties: usize, death: Option<Death>) -> Rc<Self> {
        let slots = parties + 2;
        let world = Rc::new(Self {
            words32: Pool::new(8, || AtomicU32::new(0)),
            words64: Pool::new(2 * slots + 24, || AtomicU64::new(0)),
            slots: Slots::new(slots),
            bytes: (0..slots).map(|_| (AtomicUsize::new(0), Cell::new(None))).collect(),
            parties: (0..parties).map(|_| Party::default()).collect(),
            fences: (0..parties).map(|_| AtomicUsize::new(0)).collect(),
            sequential: AtomicUsize::new(0),
            clock: AtomicUsize::new(0),
            time_passed: Cell::new(false),
            sleeping: RefCell::default(),
            slices: Cell::new(0),
            death: Cell::new(None),
            dying: Cell::new(false),
            dead: Cell::new(None),
            traced: RefCell::default(),
        });
        CURRENT.set(Some(world.clone()));
        for slot in 0..slots {
            assert!(world.join(slot, slot).is_some());
        }
        world.release_bytes(parties);
        world.slices.set(0);
        world.death.set(death);
        world
    }

    /// Joins in that slot, in the order in which `Members::join` does; `None` where its byte is locked.
    pub fn join(&self, party: usize, slot: usize) -> Option<MemberId> {
        if !self.slots.retire(slot, || self.byte_is_locked(slot)) {
            return None;
        }
        step();
        let (byte, holder) = &self.bytes[slot];
        // The order of a file lock is that of the kernel's lock around the list of them.
        byte.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        holder.set(Some(party));
        trace(|| format!("slot {slot}: locked"));
        Some(self.slots.publish(slot))
    }

    /// Which party runs, if any.
    fn running(&self) -> Option<usize> {
        let id = Some(thread::current().id());
        self.parties.iter().position(|p| p.thread.get() == id)
    }

    /// How many parties there are.
    pub fn parties(&self) -> usize {
        self.parties.len()
    }

    /// The member that has died before all began.
    pub fn long_dead(&self) -> MemberId {
        MemberId::of(self.parties.len(), 1)
    }

    /// The member that comes when all parties are through or dead.
    pub fn late(&self) -> MemberId {
        MemberId::of(self.parties.len() + 1, 1)
    }

    /// The first member in the slot of that party, which is the party unless it joined anew.
    pub fn member(party: usize) -> MemberId {
        MemberId::of(party, 1)
    }

    /// Membership of a party.
    pub fn members(self: &Rc<Self>, party: usize) -> Members<'static> {
        Members::new(self.clone(), party, Self::member(party))
    }

    /// Membership of a party of the execution that runs.
    pub(crate) fn current_members(party: usize) -> Members<'static> {
        current().members(party)
    }

    /// Runs a party on the calling thread; `None` where it died. `last` is what it found at the last,
    /// told by the dead too: no step of theirs.
    pub fn run<R>(
        self: &Rc<Self>,
        party: usize,
        body: impl FnOnce(&Members<'static>) -> R,
        last: impl FnOnce(),
    ) -> Option<R> {
        self.parties[party].thread.set(Some(thread::current().id()));
        let members = self.members(party);
        let end = catch_unwind(AssertUnwindSafe(|| body(&members)));
        self.parties[party].thread.set(None); // what the thread does from here on is nobody's step
        match end {
            Ok(r) => Some(r),
            Err(e) if e.is::<Died>() => {
                self.dying.set(false);
                last();
                self.dead.set(Some(party));
                self.light_fence(party); // its processor has gone on to something else
                self.release_bytes(party);
                None
            }
            Err(e) => resume_unwind(e),
        }
    }

    /// The kernel's part of a death: first the memory is let go, then the locks.
    fn release_bytes(&self, party: usize) {
        for (slot, (byte, holder)) in self.bytes.iter().enumerate() {
            if holder.get() == Some(party) {
                byte.swap(0, Ordering::Release);
                holder.set(None);
                trace(|| format!("slot {slot}: comes free"));
            }
        }
        self.end_slices();
    }

    /// Whether what runs are the guards on the stack of a party that has died, which do nothing.
    pub(crate) fn is_unwinding(&self) -> bool {
        self.dying.get()
    }

    /// Who has died at its step, if anybody has.
    pub fn dead(&self) -> Option<usize> {
        self.dead.get()
    }

    /// The same of the execution that ends.
    pub(crate) fn somebody_died() -> bool {
        current().dead().is_some()
    }

    /// What the kernel answers when it is asked for the lock on a byte.
    pub(crate) fn byte_is_locked(&self, slot: usize) -> bool {
        step();
        let (byte, _) = &self.bytes[slot];
        let locked = byte.compare_exchange(2, 2, Ordering::Acquire, Ordering::Acquire) != Err(0);
        trace(|| format!("slot {slot} is locked: {locked}"));
        locked
    }

    /// Of that party: see [`heavy_fence`](Self::heavy_fence).
    pub(crate) fn light_fence(&self, party: usize) {
        let n = self.fences[party].fetch_add(1, Ordering::AcqRel);
        trace(|| format!("light fence {n}"));
    }

    /// Meets the light fences of every other party, which do not meet each other: what a party did
    /// before its light fence is seen after a later heavy one, and the reverse.
    pub(crate) fn heavy_fence(&self, party: usize) {
        step();
        for (i, fence) in self.fences.iter().enumerate() {
            if i != party {
                let n = fence.fetch_add(1, Ordering::AcqRel);
                trace(|| format!("heavy fence of {i}: {n}"));
            }
        }
    }

    /// The futex: sleeps where the word is as expected, in one step with the look. There is no time in
    /// a model, so a slice does not end, and a lost wake-up is a deadlock, which loom reports. But
    /// once after each death all slices end, for that is what they are for.
    pub(crate) fn sleep(&self, party: usize, word: &atomic::AtomicU32, expected: u32, timed: bool) {
        step();
        let key = word.key();
        let now = word.kernel_read();
        // One step up to `park`.
        let of = &self.parties[party];
        if now != expected || timed && self.time_passed.get() {
            return;
        }
        if of.slices.get() < self.slices.get() {
            of.slices.set(self.slices.get());
            trace(|| format!("word {key}: a slice of sleep ends"));
            return;
        }
        trace(|| format!("word {key}: sleeps"));
        let thread = thread::current();
        self.sleeping.borrow_mut().push_back(Sleeping { party, thread, key, timed });
        thread::park();
    }

    pub(crate) fn wake(&self, word: &atomic::AtomicU32, most: u32) -> usize {
        step();
        let key = word.key();
        word.kernel_read();
        let mut left = most;
        let woken = self.wake_where(|s| {
            let wake = s.key == key && left > 0;
            left -= u32::from(wake);
            wake
        });
        trace(|| format!("word {key}: {woken} woken"));
        woken
    }

    fn wake_where(&self, mut which: impl FnMut(&Sleeping) -> bool) -> usize {
        let mut woken = Vec::new();
        self.sleeping.borrow_mut().retain(|s| {
            let wake = which(s);
            if wake {
                woken.push(s.thread.clone());
            }
            !wake
        });
        woken.iter().for_each(Thread::unpark);
        woken.len()
    }

    fn end_slices(&self) {
        self.slices.set(self.slices.get() + 1);
        self.wake_where(|s| {
            self.parties[s.party].slices.set(self.slices.get());
            true
        });
    }

    /// All deadlines pass.
    pub fn pass_time(&self) {
        self.clock.fetch_add(1, Ordering::Relaxed);
        self.time_passed.set(true);
        self.wake_where(|s| s.timed);
    }

    pub(crate) fn time_has_passed(&self) -> bool {
        self.clock.fetch_add(0, Ordering::Relaxed);
        self.time_passed.get()
    }
}
