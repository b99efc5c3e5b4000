//! What all primitives have in common: one has something, others wait for it.

use std::cell::RefCell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{
    Absence, Barrier, BarrierError, EventCount, LockError, Members, Mutex, MutexGuard, Party,
};
use ndshm_testkit::{Child, arguments, until};

use crate::arena::Arena;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The other has given it up, or done what was waited for.
    Free,
    /// The other has died; its process id.
    Died(Option<u32>),
    TimedOut,
    Forked,
}

pub(crate) trait Subject {
    /// Has what others wait for, while `then` runs.
    fn hold(&self, then: &mut dyn FnMut());

    /// Waits for what another has, for ever without a `timeout`. What a dead one has left is mended.
    fn wait(&self, timeout: Option<Duration>) -> Seen;
}

/// A primitive to be tested, and what is not so of all.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    make: for<'m> fn(&'m Members<'m>, &Arena) -> Box<dyn Subject + 'm>,
    /// Somebody owns what is waited for, so that death is noticed.
    pub(crate) owned: bool,
    /// Whoever waits owes nothing to anybody: its death is nobody's concern.
    pub(crate) waits_freely: bool,
}

/// All of them. A new primitive is a line here, and its `Subject` below.
pub(crate) const SUBJECTS: &[Entry] = &[
    Entry { name: "mutex", make: Locked::make, owned: true, waits_freely: true },
    Entry { name: "barrier", make: Met::make, owned: true, waits_freely: false },
    Entry { name: "event_count", make: Counted::make, owned: false, waits_freely: true },
];

impl Entry {
    pub(crate) fn make<'m>(
        &self,
        members: &'m Members<'m>,
        arena: &Arena,
    ) -> Box<dyn Subject + 'm> {
        (self.make)(members, arena)
    }

    /// The one that a child is to play with: the second of its arguments.
    pub(crate) fn of_arguments() -> &'static Self {
        let name = &arguments()[1];
        SUBJECTS.iter().find(|entry| entry.name == name).expect("a subject of this suite")
    }

    /// A child that holds it, until [`let_go`] or its death.
    pub(crate) fn held(&self, arena: &Arena) -> Child {
        (0..2).for_each(|word| arena.word(1, word).store(0, SeqCst));
        let child = arena.role("subject::holder").arg(self.name).spawn();
        until("it holds", LIMIT, || arena.word(1, 0).load(SeqCst) == 1);
        child
    }

    /// A child that waits for it, and says on word `number` of page 2 how that ended; it has begun.
    pub(crate) fn waiter(&self, arena: &Arena, number: usize) -> Child {
        arena.word(2, number).store(0, SeqCst);
        let child = arena.role("subject::waiter").arg(self.name).arg(number).spawn();
        until("it waits", LIMIT, || arena.word(2, number).load(SeqCst) != 0);
        child
    }
}

pub(crate) fn let_go(arena: &Arena) {
    arena.word(1, 1).store(1, SeqCst);
}

/// Page 1, word 0: how far it has come; word 1: whether it may go on.
pub(crate) fn holder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let subject = Entry::of_arguments().make(&members, &arena);
    subject.hold(&mut || {
        arena.word(1, 0).store(1, SeqCst);
        until("it may go on", LIMIT * 2, || arena.word(1, 1).load(SeqCst) == 1);
    });
    arena.word(1, 0).store(2, SeqCst);
    thread::sleep(LIMIT);
}

/// What a waiter says of itself.
pub(crate) const WAITS: u64 = 1;
pub(crate) const GOT_IT: u64 = 2;

pub(crate) fn waiter() {
    let arena = Arena::inherited();
    let members = arena.join();
    let subject = Entry::of_arguments().make(&members, &arena);
    let word = arena.word(2, arguments()[2].parse().expect("a number"));
    word.store(WAITS, SeqCst);
    let seen = subject.wait(None);
    word.store(if seen == Seen::Free { GOT_IT } else { 3 }, SeqCst);
    thread::sleep(LIMIT);
}

struct Locked<'m>(Mutex<'m, u64>);

impl Locked<'_> {
    fn make<'m>(members: &'m Members<'m>, _: &Arena) -> Box<dyn Subject + 'm> {
        Box::new(Locked(members.layout().mutex(0_u64).expect("no mutex")))
    }
}

impl Subject for Locked<'_> {
    fn hold(&self, then: &mut dyn FnMut()) {
        let _guard = self.0.lock().expect("nobody has died with it");
        then();
    }

    fn wait(&self, timeout: Option<Duration>) -> Seen {
        let clear = |mut guard: MutexGuard<'_, u64>| guard.clear_poison();
        let got = match timeout {
            None => self.0.lock(),
            Some(timeout) => self.0.lock_timeout(timeout),
        };
        match got {
            Ok(_) => Seen::Free,
            Err(LockError::Poisoned(p)) => {
                let pid = p.member().pid;
                assert!(self.0.is_poisoned());
                clear(p.into_inner());
                assert!(!self.0.is_poisoned());
                Seen::Died(pid)
            }
            Err(LockError::TimedOut { owner: Some(_) }) => Seen::TimedOut,
            Err(LockError::Forked) => Seen::Forked,
            Err(e) => panic!("{e}"),
        }
    }
}

/// A barrier of two: who holds has not come yet.
struct Met<'m> {
    barrier: Barrier<'m>,
    waiting: RefCell<Option<Party<'m>>>,
}

impl Met<'_> {
    fn make<'m>(members: &'m Members<'m>, _: &Arena) -> Box<dyn Subject + 'm> {
        let barrier = members.layout().barrier(2).expect("no barrier");
        Box::new(Met { barrier, waiting: RefCell::new(None) })
    }
}

impl Subject for Met<'_> {
    fn hold(&self, then: &mut dyn FnMut()) {
        let mut party = self.barrier.join(1).expect("no rank");
        then();
        party.wait().expect("the other comes");
    }

    fn wait(&self, timeout: Option<Duration>) -> Seen {
        let mut waiting = self.waiting.borrow_mut();
        let party = match &mut *waiting {
            Some(party) => party,
            none => match self.barrier.join(0) {
                Ok(party) => {
                    self.barrier.reset(); // who had the rank before has broken it by leaving
                    none.insert(party)
                }
                Err(BarrierError::Forked) => return Seen::Forked,
                Err(e) => panic!("{e}"),
            },
        };
        let met = match timeout {
            None => party.wait(),
            Some(timeout) => party.wait_timeout(timeout),
        };
        let seen = match met {
            Ok(_) => Seen::Free,
            Err(BarrierError::Broken { lost }) => {
                let lost: Vec<_> = lost.iter().map(|l| (l.rank, l.why, l.member)).collect();
                let [(1, Absence::Died, member)] = lost[..] else { panic!("{lost:?}") };
                Seen::Died(member.and_then(|m| m.pid))
            }
            Err(BarrierError::TimedOut { missing }) => {
                assert_eq!(missing, [1]);
                Seen::TimedOut
            }
            Err(BarrierError::Forked) => return Seen::Forked,
            Err(e) => panic!("{e}"),
        };
        self.barrier.reset();
        seen
    }
}

/// A change to come, counted by who "holds".
struct Counted<'m> {
    members: &'m Members<'m>,
    changes: &'static AtomicU64,
    events: &'static EventCount,
}

impl Counted<'_> {
    fn make<'m>(members: &'m Members<'m>, arena: &Arena) -> Box<dyn Subject + 'm> {
        // SAFETY: a word of the arena that is used for nothing else, mapped for the rest of the process's
        // life, aligned, and as long as an `EventCount`, which is made of atomics.
        let events = unsafe { &*std::ptr::from_ref(arena.word(3, 0)).cast::<EventCount>() };
        Box::new(Counted { members, changes: arena.word(3, 1), events })
    }
}

impl Subject for Counted<'_> {
    fn hold(&self, then: &mut dyn FnMut()) {
        self.changes.store(0, SeqCst);
        then();
        self.changes.store(1, SeqCst);
        self.events.notify_all(self.members);
    }

    fn wait(&self, timeout: Option<Duration>) -> Seen {
        if !self.members.is_mine() {
            return Seen::Forked;
        }
        let start = Instant::now();
        loop {
            let seen = self.events.read();
            if self.changes.load(SeqCst) == 1 {
                return Seen::Free;
            }
            let left = timeout.map_or(Duration::MAX, |t| t.saturating_sub(start.elapsed()));
            if left.is_zero() {
                return Seen::TimedOut;
            }
            self.events.wait(self.members, seen, left);
        }
    }
}
