//! Readers and writers are killed at random moments.

use std::collections::BTreeMap;
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{LockError, Members, RwLock, RwLockWriteGuard};
use ndshm_testkit::{Child, Rng, arguments, until};

use crate::arena::Arena;
use crate::kills::ledger::{self, Ledger};
use crate::kills::player::{At, Log, Seat};

/// Kills that must have hit one with the lock or waiting for it, and at least so many in each state.
const KILLS: u32 = 300;
const IN_EACH_STATE: u32 = 15;

const LIMIT: Duration = Duration::from_secs(30);

/// Pages of the arena; 1 is the log, 2 the word of who writes.
const PARENT: usize = 3;
const SURVIVORS: [usize; 2] = [4, 5];
const VICTIM: usize = 6;
/// Word 0: all survivors end.
const ORDERS: usize = 7;

type Guard<'m> = RwLockWriteGuard<'m, Ledger>;

/// One who reads or writes, checks what it may rely on, and says what it is doing.
struct Player<'m> {
    arena: &'m Arena,
    lock: RwLock<'m, Ledger, 4>,
    seat: Seat,
    number: u64,
    done: u64,
    rng: Rng,
}

impl<'m> Player<'m> {
    fn new(arena: &'m Arena, members: &'m Members<'m>, page: usize, number: u64) -> Self {
        let lock = members.layout().rwlock_with(ledger::of(0)).expect("no place for the lock");
        let rng = Rng::new(number.wrapping_mul(0x1234_5678_9abc_def1));
        Self { arena, lock, seat: Seat::new(arena, page), number, done: 0, rng }
    }

    fn say(&self, at: At) {
        self.seat.say(self.done, at);
    }

    /// Who writes, by number.
    fn writing(&self) -> &'static AtomicU64 {
        self.arena.word(2, 0)
    }

    fn read(&mut self) {
        self.say(At::WaitingToRead);
        match self.lock.read_timeout(LIMIT) {
            Ok(guard) => {
                self.say(At::Reading);
                let first = *guard;
                assert!(ledger::is_whole(&first), "{}: a torn state: {first:x?}", self.number);
                self.rng.pause(Duration::from_micros(60));
                assert_eq!(self.writing().load(SeqCst), 0, "{}: one writes", self.number);
                // SAFETY: a valid reference; volatile, so that it is read a second time.
                let second = unsafe { ptr::read_volatile(&raw const *guard) };
                assert_eq!(first, second, "{}: it was written meanwhile", self.number);
            }
            Err(LockError::Poisoned(p)) => {
                self.say(At::Reading);
                assert!(!p.panicked() && p.member().pid.is_some(), "{p}");
            }
            Err(e) => panic!("{}: a lock that hangs: {e}", self.number),
        }
        self.say(At::Out);
    }

    /// Takes the whole lock, and mends what the dead have left.
    fn write(&mut self) -> Guard<'m> {
        self.say(At::Waiting);
        match self.lock.write_timeout(LIMIT) {
            Ok(guard) => {
                let torn = *guard;
                assert!(ledger::is_whole(&torn), "{}: a torn state: {torn:x?}", self.number);
                let writing = self.writing().swap(self.number, SeqCst);
                assert_eq!(writing, 0, "{}: two write", self.number);
                guard
            }
            Err(LockError::Poisoned(p)) => {
                self.say(At::Recovering);
                self.writing().store(self.number, SeqCst);
                let culprit = p.member().pid.expect("its slot is not taken yet");
                let mut guard = p.into_inner();
                let head = guard[0];
                Log(self.arena).add(head, culprit);
                ledger::write(&mut guard, head, |_| {});
                guard.clear_poison();
                guard
            }
            Err(e) => panic!("{}: a lock that hangs: {e}", self.number),
        }
    }

    fn change(&mut self) {
        let mut guard = self.write();
        let head = ledger::head(ledger::count(&guard) + 1, self.number);
        self.seat.aim(head);
        self.say(At::Before);
        let (seat, done, rng) = (self.seat, self.done, &mut self.rng);
        ledger::write(&mut guard, head, |k| {
            seat.say(done, At::Mid(k));
            rng.pause(Duration::from_micros(10));
        });
        self.say(At::Done);
        self.leave(guard);
        self.done += 1;
        self.say(At::Out);
    }

    fn leave(&self, guard: Guard<'m>) {
        let writing = self.writing().swap(0, SeqCst);
        assert_eq!(writing, self.number, "somebody else wrote");
        drop(guard);
    }
}

pub(crate) fn player() {
    let arena = Arena::inherited();
    let members = arena.join();
    let arguments = arguments();
    let page = arguments[0].parse().expect("a page");
    let mut player = Player::new(&arena, &members, page, arguments[1].parse().expect("a number"));
    while arena.word(ORDERS, 0).load(SeqCst) == 0 {
        if player.rng.chance(50) {
            player.read();
        } else {
            player.change();
        }
        player.rng.pause(Duration::from_micros(if page == VICTIM { 5 } else { 60 }));
    }
}

pub(crate) fn readers_and_writers_are_killed() {
    let arena = Arena::create();
    let members = arena.join();
    let mut parent = Player::new(&arena, &members, PARENT, 1);
    let mut rng = Rng::of_this_run();
    let mut number = 9;
    let mut spawn = |page| {
        number += 1;
        let seat = Seat::new(&arena, page);
        seat.clear();
        (arena.role("rwlock::kills::player").arg(page).arg(number).spawn(), seat)
    };
    let mut survivors: Vec<(Child, Seat)> = SURVIVORS.map(&mut spawn).into();
    let mut hits: BTreeMap<&str, u32> = BTreeMap::new();
    let mut done = 0;
    let enough = |hits: &BTreeMap<&str, u32>| {
        let counted: Vec<u32> =
            hits.iter().filter(|(what, _)| !what.starts_with("not")).map(|(_, &n)| n).collect();
        let each = counted.len() >= 4 && counted.iter().all(|&n| n >= IN_EACH_STATE);
        counted.iter().sum::<u32>() >= KILLS && each
    };
    while !enough(&hits) {
        let (mut victim, seat) = spawn(VICTIM);
        until("the victim plays", LIMIT, || seat.read().1 > 0);
        rng.pause(Duration::from_micros(800));
        let pid = victim.pid();
        // Mostly without waiting for the end of its death.
        victim.kill_now();
        if rng.chance(50) {
            parent.read();
        }
        victim.kill();

        let guard = parent.write();
        let mended = Log(&arena).take();
        parent.leave(guard);
        let told = mended.len();
        assert!(mended.iter().all(|&(_, who)| who == pid), "{mended:?}: only {pid} has died");
        let (at, turns) = seat.read();
        let (what, most) = match at {
            At::Reading => ("reader, inside", 0),
            At::WaitingToRead => ("reader, waiting", 0),
            At::Waiting => ("writer, waiting", 1), // or just let in
            At::Before | At::Mid(_) => ("writer, inside", 1),
            At::Recovering => unreachable!("nobody else has died"),
            At::Done => ("not counted: writer, all written", 1),
            At::Out | At::Starting => ("not counted: between", 0),
        };
        assert!(told <= most, "killed at {at:?}, and told of it {told} times");
        if what == "writer, inside" {
            assert_eq!(told, 1, "killed at {at:?}, and nobody was told");
        }
        let last = match at {
            // Between the first word and the note of it: whoever mended has seen which.
            At::Before => mended.iter().any(|&(head, _)| head == seat.target()),
            At::Mid(_) | At::Done => true,
            _ => false,
        };
        done += turns + u64::from(last);
        *hits.entry(what).or_default() += 1;
        for (survivor, _) in &mut survivors {
            assert!(survivor.is_running(), "a survivor failed");
        }
    }
    arena.word(ORDERS, 0).store(1, SeqCst);
    for (survivor, seat) in &mut survivors {
        survivor.succeed(LIMIT);
        done += seat.read().1;
    }
    let guard = parent.write();
    assert_eq!(ledger::count(&guard), done, "turns were lost, or came from nowhere");
    parent.leave(guard);
    println!("  {done} writes, none lost; 0 torn, 0 hangs, 0 wrongly told");
    for (what, hits) in hits {
        println!("  {hits:6}  {what}");
    }
}
