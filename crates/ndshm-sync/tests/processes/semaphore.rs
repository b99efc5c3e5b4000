//! Never more inside than there are permits, whoever dies with one; posts that equal takes.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{AcquireError, Members, OnDeath, Semaphore, SemaphorePermit};
use ndshm_testkit::{Child, Rng, arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(30);
const EACH: u64 = 10_000;
const REPORTED: u32 = 200;
const RETURNED: u32 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
enum At {
    Out,
    Waiting,
    Holding,
    Releasing,
}

impl At {
    const ALL: [Self; 4] = [Self::Out, Self::Waiting, Self::Holding, Self::Releasing];
}

/// The page of a worker: what it is doing, and how many turns it has had.
#[derive(Clone, Copy)]
struct Seat {
    at: &'static AtomicU64,
    turns: &'static AtomicU64,
}

impl Seat {
    fn of(arena: &Arena, page: usize) -> Self {
        Self { at: arena.word(page, 0), turns: arena.word(page, 1) }
    }

    fn say(self, at: At) {
        self.at.store(at as u64, SeqCst);
    }

    fn at(self) -> At {
        At::ALL[usize::try_from(self.at.load(SeqCst)).expect("a state")]
    }
}

/// One that acquires and releases, checks that nobody else has its permit, and writes down whose it
/// got from the dead.
struct Worker<'m> {
    arena: &'m Arena,
    semaphore: Semaphore<'m>,
    seat: Seat,
}

impl<'m> Worker<'m> {
    fn new(arena: &'m Arena, members: &'m Members<'m>, page: usize, of: (usize, OnDeath)) -> Self {
        let semaphore = members.layout().semaphore(of.0, of.1).expect("no semaphore");
        Self { arena, semaphore, seat: Seat::of(arena, page) }
    }

    /// The process that is inside with that permit.
    fn inside(&self, permit: usize) -> &'static AtomicU64 {
        self.arena.word(1, permit)
    }

    fn acquire(&self) -> SemaphorePermit<'m> {
        self.seat.say(At::Waiting);
        let me = u64::from(std::process::id());
        match self.semaphore.acquire_timeout(LIMIT) {
            Ok(permit) => {
                let before = self.inside(permit.index()).swap(me, SeqCst);
                if before != 0 {
                    assert!(self.is_dead(before), "{before} is inside with the same permit");
                }
                permit
            }
            Err(AcquireError::Reclaimed(reclaimed)) => {
                let dead = u64::from(reclaimed.member().pid.expect("its slot is not taken yet"));
                let permit = reclaimed.into_inner();
                let before = self.inside(permit.index()).swap(me, SeqCst);
                assert!(before == 0 || before == dead, "{dead} has died, and {before} is inside");
                let n = self.arena.word(2, 0).fetch_add(1, SeqCst);
                let n = usize::try_from(n).expect("few reports");
                self.arena.word(2, 1 + n).store(dead, SeqCst);
                permit
            }
            Err(e) => panic!("a permit was lost: {e}"),
        }
    }

    /// Where deaths are not reported, the test says who has been killed.
    fn is_dead(&self, pid: u64) -> bool {
        self.arena.word(2, 500).load(SeqCst) == pid
    }

    fn release(&self, permit: SemaphorePermit<'m>) {
        let me = u64::from(std::process::id());
        assert_eq!(self.inside(permit.index()).swap(0, SeqCst), me, "somebody else was inside");
        self.seat.say(At::Releasing);
        drop(permit);
        self.seat.turns.fetch_add(1, SeqCst);
        self.seat.say(At::Out);
    }

    /// Who was reported dead since the last time.
    fn reports(&self) -> Vec<u64> {
        let n = usize::try_from(self.arena.word(2, 0).swap(0, SeqCst)).expect("few reports");
        (0..n).map(|n| self.arena.word(2, 1 + n).load(SeqCst)).collect()
    }
}

fn on_death(report: &str) -> OnDeath {
    if report == "report" { OnDeath::Report } else { OnDeath::Return }
}

/// Arguments: its page, how many permits, what becomes of the dead's, how many turns (0: for ever).
pub(crate) fn worker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let arguments = arguments();
    let number = |n: usize| arguments[n].parse::<usize>().expect("a number");
    let of = (number(1), on_death(&arguments[2]));
    let worker = Worker::new(&arena, &members, number(0), of);
    let mut rng = Rng::new(u64::from(std::process::id()));
    let turns = number(3);
    let mut turn = 0;
    while turns == 0 || turn < turns {
        let permit = worker.acquire();
        worker.seat.say(At::Holding);
        // Counted as well: a permit has one owner, and there are so many permits.
        if turns > 0 {
            let inside = arena.word(3, 0).fetch_add(1, SeqCst);
            assert!(inside < of.0 as u64, "{inside} were inside already");
            arena.word(3, 0).fetch_sub(1, SeqCst);
        } else {
            rng.pause(Duration::from_micros(100));
        }
        worker.release(permit);
        turn += 1;
    }
}

fn spawn(arena: &Arena, page: usize, permits: usize, report: &str, turns: u64) -> Child {
    let role = arena.role("semaphore::worker");
    role.arg(page).arg(permits).arg(report).arg(turns).spawn()
}

pub(crate) fn never_more_than_there_are() {
    for permits in [1, 3] {
        let arena = Arena::create();
        let members = arena.join();
        let mut children: Vec<_> =
            (4..8).map(|page| spawn(&arena, page, permits, "report", EACH)).collect();
        children.iter_mut().for_each(|child| child.succeed(LIMIT));
        let left = Worker::new(&arena, &members, 8, (permits, OnDeath::Report));
        assert_eq!(left.semaphore.available(), permits);
        assert!(left.reports().is_empty());
    }
}

/// Kills members of a semaphore of two, and has all permits once after each death.
fn kill(report: &str, kills: u32) {
    const PERMITS: usize = 2;
    let arena = Arena::create();
    let members = arena.join();
    let of = (PERMITS, on_death(report));
    let parent = Worker::new(&arena, &members, 3, of);
    let [survives, seat] = [4, 5].map(|page| Seat::of(&arena, page));
    let mut rng = Rng::of_this_run();
    let mut hits: BTreeMap<(At, usize), u32> = BTreeMap::new();
    let mut survivor = spawn(&arena, 4, PERMITS, report, 0);
    for _ in 0..kills {
        seat.turns.store(0, SeqCst);
        let mut victim = spawn(&arena, 5, PERMITS, report, 0);
        until("the victim works", LIMIT, || seat.turns.load(SeqCst) > 0);
        // Sometimes while it waits for one of two that are held.
        let held = rng.chance(30).then(|| [parent.acquire(), parent.acquire()]);
        rng.pause(Duration::from_micros(600));
        victim.kill();
        let pid = u64::from(victim.pid());
        arena.word(2, 500).store(pid, SeqCst);
        let was_held = held.is_some();
        held.into_iter().flatten().for_each(|permit| parent.release(permit));

        let turns = survives.turns.load(SeqCst);
        until("the other goes on", LIMIT, || survives.turns.load(SeqCst) > turns);
        let both = [parent.acquire(), parent.acquire()];
        let reports = parent.reports();
        let at = seat.at();
        assert!(reports.iter().all(|&dead| dead == pid), "{reports:?}: only {pid} has died");
        let possible = match (of.1, at) {
            (OnDeath::Return, _) | (_, At::Out) => 0..=0,
            (_, At::Waiting) if was_held => 0..=0,
            (_, At::Waiting | At::Releasing) => 0..=1,
            (_, At::Holding) => 1..=1,
        };
        assert!(possible.contains(&reports.len()), "killed {at:?}: {} reports", reports.len());
        *hits.entry((at, reports.len())).or_default() += 1;
        both.into_iter().for_each(|permit| parent.release(permit));
        assert!(survivor.is_running(), "the survivor failed");
    }
    survivor.kill();
    for ((at, reports), hits) in hits {
        println!("  {hits:6}  {at:?}, told {reports} times");
    }
}

pub(crate) fn members_are_killed() {
    kill("report", REPORTED);
    kill("return", RETURNED);
}

/// Has a permit until it is killed.
pub(crate) fn holder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let semaphore = members.layout().semaphore(2, OnDeath::Report).expect("no semaphore");
    let _permit = semaphore.acquire().expect("one is free");
    arena.word(1, 0).store(1, SeqCst);
    thread::sleep(LIMIT * 2);
}

pub(crate) fn a_stopped_holder_keeps_its_permit() {
    let arena = Arena::create();
    let members = arena.join();
    let semaphore = members.layout().semaphore(2, OnDeath::Report).expect("no semaphore");
    let mut child = arena.role("semaphore::holder").spawn();
    until("it holds", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
    child.stop();
    let mine = semaphore.acquire().expect("one is free");
    let other = semaphore.acquire_timeout(Duration::from_millis(200));
    assert!(matches!(other, Err(AcquireError::TimedOut { permits: 2 })), "{other:?}");
    assert_eq!(semaphore.available(), 0);
    let inspection = semaphore.inspect();
    let pid = inspection.holders.iter().filter_map(|h| h.member.pid).find(|&p| p == child.pid());
    assert_eq!(pid, Some(child.pid()), "{inspection}");

    // One that sleeps for it, when it dies.
    thread::scope(|s| {
        let waiter = s.spawn(|| semaphore.acquire().map(drop).map_err(|e| e.without_permit()));
        until("it sleeps", LIMIT, || semaphore.inspect().sleepers);
        assert!(!waiter.is_finished());
        child.kill_to_zombie();
        match waiter.join().expect("it panicked") {
            Err(AcquireError::Reclaimed(r)) => assert_eq!(r.member().pid, Some(child.pid())),
            other => panic!("a dead member's permit: {other:?}"),
        }
    });
    assert_eq!(semaphore.available(), 1, "told once, and then like any");
    drop(semaphore.acquire().expect("like any"));
    drop(mine);
}

pub(crate) fn garbage_in_a_permit_is_no_panic_and_no_hang() {
    let mut rng = Rng::of_this_run();
    for round in 0..200 {
        let arena = Arena::create();
        let members = arena.join();
        let semaphore = members.layout().semaphore(2, OnDeath::Report).expect("no semaphore");
        for permit in 0..2 {
            let garbage = if round % 2 == 0 { rng.next() } else { rng.next() & 0xffff_ffff };
            arena.inside(Members::SIZE + 64 + 8 * permit).store(garbage, SeqCst);
        }
        let got: Vec<_> = (0..2)
            .map(|_| semaphore.acquire_timeout(LIMIT).or_else(|e| e.into_permit().ok_or("lost")))
            .collect();
        assert!(got.iter().all(Result::is_ok), "{got:?}");
        let _ = semaphore.inspect().to_string();
    }
}
