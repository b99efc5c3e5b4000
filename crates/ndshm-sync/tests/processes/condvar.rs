//! A bounded queue between processes, by a mutex and two condvars; and what becomes of those who wait
//! when others die.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{Condvar, LockError, Members, Mutex, MutexGuard};
use ndshm_testkit::{Child, Rng, Samples, arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(30);
const CAPACITY: u64 = 3;
const EACH: u64 = 10_000;
const KILLS: u32 = 250;
const ROUNDS: u32 = 400;
const TURNS: u32 = 6_000;

/// How much was put in and taken out, ever. Each is one word, so no death leaves it half-changed.
type State = [u64; 2];

#[derive(Clone, Copy)]
struct Queue<'m> {
    state: Mutex<'m, State>,
    not_empty: Condvar<'m>,
    not_full: Condvar<'m>,
}

/// What a process was doing, as its page tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
enum At {
    Out,
    Waiting,
    Holding,
    Changed,
    Notifying,
}

impl At {
    const ALL: [Self; 5] =
        [Self::Out, Self::Waiting, Self::Holding, Self::Changed, Self::Notifying];
}

/// The page of one that works at the queue: how many turns it has done, and what it is doing, in one
/// word, so that a death cannot come between them.
#[derive(Clone, Copy)]
struct Seat(&'static AtomicU64);

impl Seat {
    fn of(arena: &Arena, page: usize) -> Self {
        Self(arena.word(page, 0))
    }

    fn say(self, done: u64, at: At) {
        self.0.store(done << 8 | at as u64, SeqCst);
    }

    fn read(self) -> (u64, At) {
        let word = self.0.load(SeqCst);
        (word >> 8, At::ALL[usize::try_from(word & 0xff).expect("a state")])
    }

    fn done(self) -> u64 {
        self.read().0
    }
}

/// The guard, also where somebody had died with the lock.
fn mended<'m>(
    got: Result<MutexGuard<'m, State>, LockError<MutexGuard<'m, State>>>,
) -> MutexGuard<'m, State> {
    let mut guard = match got {
        Ok(guard) => guard,
        Err(LockError::Poisoned(poisoned)) => {
            assert!(!poisoned.panicked(), "{poisoned}");
            poisoned.into_inner()
        }
        Err(e) => panic!("{e}"),
    };
    guard.clear_poison();
    let [put, taken] = *guard;
    assert!(taken <= put && put <= taken + CAPACITY, "{put} put in, {taken} taken out");
    guard
}

impl<'m> Queue<'m> {
    fn of(members: &'m Members<'m>) -> Self {
        let mut layout = members.layout();
        let state = layout.mutex([0; 2]).expect("no mutex");
        let mut condvar = || layout.condvar().expect("no condvar");
        Self { state, not_empty: condvar(), not_full: condvar() }
    }

    /// Puts one in, or takes one out. Half of the time it notifies with the mutex held.
    fn turn(&self, puts: bool, seat: Seat, rng: &mut Rng) {
        let (wait, notify) =
            if puts { (self.not_full, self.not_empty) } else { (self.not_empty, self.not_full) };
        let blocked = |[put, taken]: &State| {
            if puts { *put == *taken + CAPACITY } else { put == taken }
        };
        let done = seat.done();
        seat.say(done, At::Waiting);
        let mut guard = mended(self.state.lock());
        while blocked(&guard) {
            guard = mended(wait.wait(guard));
        }
        seat.say(done, At::Holding);
        guard[usize::from(!puts)] += 1;
        seat.say(done, At::Changed);
        if rng.chance(50) {
            notify.notify_one();
            drop(guard);
        } else {
            drop(guard);
            seat.say(done, At::Notifying);
            notify.notify_one();
        }
        seat.say(done + 1, At::Out);
    }
}

/// Arguments: whether it puts in, its page, how many turns it takes (0: for ever).
pub(crate) fn worker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let arguments: Vec<u64> = arguments().iter().map(|a| a.parse().expect("a number")).collect();
    let [puts, page, turns] = arguments[..] else { panic!("{arguments:?}") };
    let queue = Queue::of(&members);
    let seat = Seat::of(&arena, usize::try_from(page).expect("a page"));
    let mut rng = Rng::new(u64::from(std::process::id()));
    let mut turn = 0;
    while turns == 0 || turn < turns {
        queue.turn(puts == 1, seat, &mut rng);
        if turns == 0 {
            rng.pause(Duration::from_micros(40)); // so that the others come to the mutex too
        }
        turn += 1;
    }
}

fn worker_of(arena: &Arena, puts: bool, page: usize, turns: u64) -> Child {
    arena.role("condvar::worker").arg(u64::from(puts)).arg(page).arg(turns).spawn()
}

pub(crate) fn nothing_is_lost_in_a_queue() {
    let arena = Arena::create();
    let members = arena.join();
    let workers = [(1, true), (2, true), (3, false), (4, false)];
    let start = Instant::now();
    let mut children = workers.map(|(page, puts)| worker_of(&arena, puts, page, EACH));
    children.iter_mut().for_each(|child| child.succeed(LIMIT));
    println!("  {} items through a queue of {CAPACITY} in {:.1?}", 2 * EACH, start.elapsed());
    let queue = Queue::of(&members);
    assert_eq!(*queue.state.lock().expect("nobody has died"), [2 * EACH; 2]);
    for (page, _) in workers {
        assert_eq!(Seat::of(&arena, page).done(), EACH);
    }
}

pub(crate) fn workers_are_killed() {
    const VICTIM: usize = 3;
    let arena = Arena::create();
    let members = arena.join();
    let queue = Queue::of(&members);
    let mut rng = Rng::of_this_run();
    let mut hits: BTreeMap<At, u32> = BTreeMap::new();
    let mut notice = Samples::new();
    let mut survivors = [worker_of(&arena, true, 1, 0), worker_of(&arena, false, 2, 0)];
    let seats = [1, 2].map(|page| Seat::of(&arena, page));
    let victims = Seat::of(&arena, VICTIM);
    // What the victims have done, at least and at most.
    let mut bounds = [[0_u64; 2]; 2];
    for round in 0..KILLS {
        let puts = round % 2 == 0;
        victims.say(0, At::Out);
        let mut victim = worker_of(&arena, puts, VICTIM, 0);
        until("the victim works", LIMIT, || victims.done() > 0);
        rng.pause(Duration::from_micros(700));
        victim.kill();
        let dead = Instant::now();
        let before = seats.map(Seat::done);
        until("the others go on", LIMIT, || {
            seats.iter().zip(before).all(|(seat, before)| seat.done() > before + 1)
        });
        notice.add(dead.elapsed());
        let (done, at) = victims.read();
        *hits.entry(at).or_default() += 1;
        let [least, most] = match at {
            At::Out | At::Waiting => [done; 2],
            At::Holding => [done, done + 1],
            At::Changed | At::Notifying => [done + 1; 2],
        };
        let [all_least, all_most] = &mut bounds[usize::from(!puts)];
        *all_least += least;
        *all_most += most;
        for survivor in &mut survivors {
            assert!(survivor.is_running(), "a survivor failed");
        }
    }
    // Killed where their pages tell exactly what they have done.
    for (survivor, seat) in survivors.iter_mut().zip(seats) {
        until("it stops at such a place", LIMIT, || {
            survivor.stop();
            let tells = matches!(seat.read().1, At::Out | At::Waiting);
            if !tells {
                survivor.resume();
            }
            tells
        });
        survivor.kill();
    }
    let state = *mended(queue.state.lock());
    for kind in 0..2 {
        let done = state[kind] - seats[kind].done();
        let [least, most] = bounds[kind];
        assert!((least..=most).contains(&done), "the victims did {least} to {most}, not {done}");
    }
    println!(
        "  {} turns, none lost; from a death to two turns of each survivor: {notice}",
        state[0]
    );
    for (at, hits) in hits {
        println!("  {hits:6}  worker, {at:?}");
    }
}

/// Takes the mutex to its grave; or changes the value, and dies before it notifies. Argument: which.
pub(crate) fn dies() {
    let arena = Arena::inherited();
    let members = arena.join();
    let queue = Queue::of(&members);
    let mut guard = mended(queue.state.lock());
    if arguments()[0] == "changed" {
        guard[0] += 1;
        drop(guard);
    } else {
        std::mem::forget(guard);
    }
    arena.word(1, 0).store(1, SeqCst);
    thread::sleep(LIMIT * 2);
}

/// Has a thread wait for a first item while a child `does` something and is killed; its result.
fn waiting_while_one_dies(
    does: &str,
    then: impl FnOnce(&Queue<'_>),
) -> (u32, Result<State, LockError<()>>) {
    let arena = Arena::create();
    let members = arena.join();
    let queue = Queue::of(&members);
    thread::scope(|s| {
        let waiter = s.spawn(|| {
            let guard = queue.state.lock().expect("nobody has died");
            let got = queue.not_empty.wait_while(guard, |[put, taken]| put == taken);
            got.map(|guard| *guard).map_err(LockError::without_guard)
        });
        until("it sleeps", LIMIT, || queue.not_empty.inspect().sleepers);
        let mut child = arena.role("condvar::dies").arg(does).spawn();
        until("the child is there", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
        child.kill();
        then(&queue);
        (child.pid(), waiter.join().expect("the waiter panicked"))
    })
}

/// Nobody else wants the mutex, and nobody will ever notify.
pub(crate) fn a_death_with_the_mutex_ends_a_wait() {
    const ROUNDS: u32 = 6;
    let start = Instant::now();
    for round in 0..ROUNDS {
        let (pid, got) = waiting_while_one_dies("holding", |queue| {
            // Sometimes another is told, and neither mends nor notifies.
            assert!(round % 2 == 0 || queue.state.lock().is_err());
        });
        match got {
            Err(LockError::Poisoned(p)) => assert_eq!(p.member().pid, Some(pid)),
            other => panic!("somebody died with the mutex: {other:?}"),
        }
    }
    // Each wait returns after a second in any case; this is to be sooner.
    let took = start.elapsed();
    println!("  {ROUNDS} times in {took:.1?}");
    assert!(took < Duration::from_secs(5), "the waiters were not told, but looked");
}

pub(crate) fn a_notification_that_was_never_sent_is_made_up_for() {
    let (_, got) = waiting_while_one_dies("changed", |_| ());
    assert_eq!(got.expect("nobody died with the mutex"), [1, 0]);
}

/// Half of what each turn would take if its wake-up were always lost: a slice of sleep is 40 ms. That
/// none is lost now and then is for the models to show.
const EACH_TURN: Duration = Duration::from_millis(20);

/// Takes one of what was put in, in every round that the test begins.
pub(crate) fn taker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let queue = Queue::of(&members);
    for round in 1..=u64::from(ROUNDS) {
        until("the round begins", LIMIT, || arena.word(1, 0).load(SeqCst) >= round);
        let guard = queue.state.lock().expect("nobody has died");
        let guard = queue.not_empty.wait_while(guard, |[put, taken]| put == taken);
        guard.expect("nobody has died")[1] += 1;
    }
}

/// Three that sleep, notified one by one.
pub(crate) fn each_notification_wakes_one() {
    let arena = Arena::create();
    let members = arena.join();
    let queue = Queue::of(&members);
    let takers = [0, 1, 2].map(|_| arena.role("condvar::taker").spawn());
    let start = Instant::now();
    for round in 1..=u64::from(ROUNDS) {
        arena.word(1, 0).store(round, SeqCst);
        thread::sleep(Duration::from_micros(500)); // so that most often they sleep
        queue.state.lock().expect("nobody has died")[0] += 3;
        (0..3).for_each(|_| queue.not_empty.notify_one());
        until("all is taken", LIMIT, || {
            queue.state.lock().expect("nobody has died")[1] == 3 * round
        });
    }
    let took = start.elapsed();
    takers.into_iter().for_each(|mut taker| taker.succeed(LIMIT));
    println!("  {ROUNDS} rounds in {took:.1?}");
    assert!(took < EACH_TURN * ROUNDS, "wake-ups were lost");
}

/// Which of three has that turn: not always the one that has waited longest.
fn whose(turn: u64) -> u64 {
    Rng::new(turn).below(3)
}

/// Waits for its turns, and passes each on.
pub(crate) fn runner() {
    let arena = Arena::inherited();
    let members = arena.join();
    let queue = Queue::of(&members);
    let me: u64 = arguments()[0].parse().expect("a number");
    let mut rng = Rng::new(me);
    let mut guard = queue.state.lock().expect("nobody has died");
    while guard[0] < u64::from(TURNS) {
        if whose(guard[0]) == me {
            if rng.chance(80) {
                rng.pause(Duration::from_micros(500)); // so that the others sleep
            }
            guard[0] += 1;
            queue.not_empty.notify_all();
        } else {
            guard = queue.not_empty.wait(guard).expect("nobody has died");
        }
    }
}

pub(crate) fn all_are_notified() {
    let arena = Arena::create();
    let members = arena.join();
    let start = Instant::now();
    let mut runners = [0, 1, 2].map(|n| arena.role("condvar::runner").arg(n).spawn());
    runners.iter_mut().for_each(|runner| runner.succeed(LIMIT));
    assert_eq!(*Queue::of(&members).state.lock().expect("nobody has died"), [u64::from(TURNS), 0]);
    let took = start.elapsed();
    println!("  {TURNS} turns in {took:.1?}");
    assert!(took < EACH_TURN * TURNS, "wake-ups were lost");
}
