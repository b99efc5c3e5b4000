//! A latch opens when all have counted down, and names those who will not.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, Latch, LatchError, Layout, Lost};
use ndshm_testkit::{Rng, Samples, arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(30);
const PARTIES: usize = 3;
const VICTIM: usize = 2;
/// A latch each: a region has room for some hundreds.
const KILLS: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
enum At {
    Starting,
    Joined,
    CountingDown,
    Done,
}

impl At {
    const ALL: [Self; 4] = [Self::Starting, Self::Joined, Self::CountingDown, Self::Done];
}

fn next<'m>(layout: &mut Layout<'m>) -> Latch<'m> {
    layout.latch(PARTIES).expect("no latch")
}

/// Page 1: what the victim does.
fn at(arena: &Arena) -> At {
    At::ALL[usize::try_from(arena.word(1, 0).load(SeqCst)).expect("a state")]
}

/// Argument: which latch.
pub(crate) fn victim() {
    let arena = Arena::inherited();
    let members = arena.join();
    let say = |at: At| arena.word(1, 0).store(at as u64, SeqCst);
    let number: usize = arguments()[0].parse().expect("a number");
    let mut layout = members.layout();
    let mut rng = Rng::new(u64::from(std::process::id()));
    let latch = (0..=number).map(|_| next(&mut layout)).last().expect("one at least");
    let party = latch.join(VICTIM).expect("no rank");
    arena.word(3, number).store(7, Relaxed); // the latch makes it seen
    say(At::Joined);
    rng.pause(Duration::from_micros(800));
    say(At::CountingDown);
    party.count_down();
    say(At::Done);
    thread::sleep(LIMIT * 2);
}

/// Rank 1 of every latch. Page 2: how many have opened, and the process that the last break named.
pub(crate) fn survivor() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mut layout = members.layout();
    for number in 0..KILLS {
        let latch = next(&mut layout);
        latch.join(1).expect("no rank").count_down();
        while let Err(e) = latch.wait() {
            let LatchError::Broken { lost } = e else { panic!("{e}") };
            let [Lost { rank: VICTIM, why: Absence::Died, member: Some(dead) }] = lost[..] else {
                panic!("rank {VICTIM} has died, but: {lost:?}");
            };
            arena.word(2, 1).store(dead.pid.expect("its slot is not taken yet").into(), SeqCst);
        }
        let seen = arena.word(3, number).load(Relaxed);
        assert_eq!(seen, 7, "what a party wrote before it joined");
        arena.word(2, 0).store(number as u64 + 1, SeqCst);
    }
}

pub(crate) fn parties_are_killed() {
    let arena = Arena::create();
    let members = arena.join();
    let mut layout = members.layout();
    let mut rng = Rng::of_this_run();
    let mut hits: BTreeMap<(At, bool), u32> = BTreeMap::new();
    let mut notice = Samples::new();
    let mut survivor = arena.role("latch::survivor").spawn();
    for number in 0..KILLS {
        let latch = next(&mut layout);
        arena.word(1, 0).store(At::Starting as u64, SeqCst);
        arena.word(2, 1).store(0, SeqCst);
        latch.join(0).expect("no rank").count_down();
        let mut victim = arena.role("latch::victim").arg(number).spawn();
        until("the victim has joined", LIMIT, || at(&arena) != At::Starting);
        rng.pause(Duration::from_micros(900));
        victim.kill();
        let dead = Instant::now();
        let at = at(&arena);
        let opened = match latch.wait_timeout(LIMIT) {
            Ok(()) => true,
            Err(LatchError::Broken { lost }) => {
                let [Lost { rank: VICTIM, why: Absence::Died, member: Some(who) }] = lost[..]
                else {
                    panic!("rank {VICTIM} has died, but: {lost:?}");
                };
                assert_eq!(who.pid, Some(victim.pid()));
                false
            }
            Err(e) => panic!("{e}"),
        };
        assert!(opened || at != At::Done, "it had counted down");
        assert!(!opened || at != At::Joined, "it had not counted down");
        if !opened {
            until("the other is told", LIMIT, || {
                arena.word(2, 1).load(SeqCst) == u64::from(victim.pid())
            });
            notice.add(dead.elapsed());
            latch.join(VICTIM).expect("its process is dead").count_down();
            assert_eq!(latch.wait(), Ok(()), "another has done its part");
        }
        until("it opens for the other", LIMIT, || arena.word(2, 0).load(SeqCst) > number as u64);
        *hits.entry((at, opened)).or_default() += 1;
    }
    survivor.succeed(LIMIT);
    println!("  from a death to both waiters' errors: {notice}");
    for ((at, opened), hits) in hits {
        println!("  {hits:6}  party, {at:?}: {}", if opened { "it opened" } else { "broken" });
    }
}

pub(crate) fn of_the_ranks() {
    let arena = Arena::create();
    let members = arena.join();
    let mut layout = members.layout();
    let latch = next(&mut layout);
    assert!(matches!(latch.join(3), Err(LatchError::NoSuchRank { rank: 3, parties: 3 })));
    let party = latch.join(1).expect("no rank");
    assert!(matches!(latch.join(1), Err(LatchError::RankTaken { rank: 1, .. })));
    party.count_down();
    assert!(matches!(latch.join(1), Err(LatchError::RankDone { rank: 1, .. })));
    latch.withdraw(1, Absence::Died); // too late
    latch.withdraw(9, Absence::Died); // nobody

    let lost = |latch: &Latch<'_>| match latch.try_wait() {
        Err(LatchError::Broken { lost }) => lost.iter().map(|l| (l.rank, l.why)).collect(),
        Err(LatchError::WouldBlock { missing }) => {
            assert_eq!(missing, [0, 2]);
            Vec::new()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(lost(&latch), [], "those who have not joined yet are waited for");
    let zero = latch.join(0).expect("no rank");
    latch.withdraw(2, Absence::Failed);
    assert_eq!(lost(&latch), [(2, Absence::Failed)]);
    let failed = thread::scope(|s| {
        s.spawn(move || {
            let _zero = zero;
            std::panic::resume_unwind(Box::new(()));
        })
        .join()
    });
    assert!(failed.is_err());
    assert_eq!(lost(&latch), [(0, Absence::Failed), (2, Absence::Failed)]);
    let zero = latch.join(0).expect("its party has failed");
    assert_eq!(lost(&latch), [(2, Absence::Failed)]);
    let two = latch.join(2).expect("it was withdrawn");
    assert_eq!(lost(&latch), []);
    latch.withdraw(2, Absence::Failed);
    two.count_down(); // it has come after all
    drop(zero);
    assert_eq!(lost(&latch), [(0, Absence::Left)]);

    // Who has counted down may leave.
    let other = arena.join();
    let second = (0..2).map(|_| next(&mut other.layout())).last().expect("two");
    second.join(2).expect("no rank").count_down();
    drop(other);
    let mine = next(&mut layout);
    assert_eq!(mine.try_wait(), Err(LatchError::WouldBlock { missing: vec![0, 1] }));

    // Those who sleep are told at once.
    let zero = latch.join(0).expect("it has left");
    thread::scope(|s| {
        let waiter = s.spawn(|| latch.wait());
        until("it sleeps", LIMIT, || latch.inspect().sleepers);
        zero.count_down();
        assert_eq!(waiter.join().expect("it panicked"), Ok(()));
    });
}

pub(crate) fn garbage_in_a_party_is_no_panic_and_no_hang() {
    let mut rng = Rng::of_this_run();
    for _ in 0..100 {
        let arena = Arena::create();
        let members = arena.join();
        let latch = next(&mut members.layout());
        for rank in 0..PARTIES {
            let word = arena.inside(ndshm_sync::Members::SIZE + 64 + 8 * rank);
            word.store(rng.next(), SeqCst);
        }
        let waited = latch.wait_timeout(Duration::from_millis(1));
        let _ = (waited.map_err(|e| e.to_string()), latch.inspect().to_string());
        for rank in 0..PARTIES {
            match latch.join(rank) {
                Ok(party) => party.count_down(),
                Err(LatchError::RankDone { .. }) => {}
                Err(e) => panic!("nobody lives there: {e}"),
            }
        }
        assert_eq!(latch.wait_timeout(LIMIT), Ok(()));
    }
}
