//! A party that joins, meets the others, departs and joins again is killed anywhere on that way:
//! who was a party is lost to the others, by name; who had departed is missed by nobody.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use ndshm_sync::{Absence, Barrier, BarrierError, Lost, Members};
use ndshm_testkit::{Child, Rng, arguments, until};

use crate::arena::Arena;

/// Kills that must have hit one that had departed, one that was a party, one on the way.
const DEPARTED: u32 = 40;
const PARTY: u32 = 60;
const BETWEEN: u32 = 30;

const STAYERS: usize = 2;
const COMER: usize = 2;
const LIMIT: Duration = Duration::from_secs(30);

/// What the comer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum At {
    Starting,
    Joining,
    /// Has joined, and works, or waits for the others.
    Party,
    Departing,
    Departed,
}

const ALL: [At; 5] = [At::Starting, At::Joining, At::Party, At::Departing, At::Departed];

#[derive(Clone, Copy)]
struct Seat<'a>(&'a Arena, usize);

impl Seat<'_> {
    fn word(self, n: usize) -> &'static AtomicU64 {
        self.0.word(1 + self.1, n)
    }

    fn say(self, at: At) {
        self.word(0).store(at as u64, SeqCst);
    }

    fn at(self) -> At {
        ALL[usize::try_from(self.word(0).load(SeqCst)).expect("a state")]
    }

    /// Phases of a stayer that were complete.
    fn phases(self) -> &'static AtomicU64 {
        self.word(1)
    }

    /// The process that a stayer was told is lost, until the parent has read it.
    fn lost(self) -> &'static AtomicU64 {
        self.word(2)
    }

    /// The last that the comer has written, and that a stayer has seen of it. Relaxed on purpose:
    /// the barrier makes it seen.
    fn offer(self) -> &'static AtomicU64 {
        self.word(3)
    }
}

/// Page 8: word 0, how often the parent has mended; word 1, the comer that may begin.
fn orders(arena: &Arena) -> [&'static AtomicU64; 2] {
    [0, 1].map(|word| arena.word(8, word))
}

/// The number of the phase, from the word of the barrier.
fn phase(arena: &Arena) -> u64 {
    arena.inside(Members::SIZE + 8).load(SeqCst) >> 2 & 0x3fff
}

fn barrier<'m>(members: &'m Members<'m>) -> Barrier<'m> {
    members.layout().barrier(STAYERS + 1).expect("no place for the barrier")
}

pub(crate) fn stayer() {
    let arena = Arena::inherited();
    let members = arena.join();
    let rank: usize = arguments()[0].parse().expect("a rank");
    let mut party = barrier(&members).join(rank).expect("cannot join the barrier");
    let (seat, comer) = (Seat(&arena, rank), Seat(&arena, COMER));
    let mut rng = Rng::new(u64::from(std::process::id()));
    let mut mended = 0;
    loop {
        rng.pause(Duration::from_micros(20));
        match party.wait() {
            Ok(_) => {
                seat.offer().store(comer.offer().load(Relaxed), Relaxed);
                seat.phases().fetch_add(1, SeqCst);
            }
            Err(BarrierError::Broken { lost }) => {
                let [Lost { rank: COMER, why: Absence::Died, member: Some(dead) }] = lost[..]
                else {
                    panic!("rank {COMER} has died, but: {lost:?}");
                };
                seat.lost().store(dead.pid.expect("its slot is not taken yet").into(), SeqCst);
                mended += 1;
                until("the parent mends it", LIMIT, || orders(&arena)[0].load(SeqCst) >= mended);
            }
            Err(e) => panic!("{e}"),
        }
    }
}

pub(crate) fn comer() {
    let arena = Arena::inherited();
    let members = arena.join();
    let number: u64 = arguments()[0].parse().expect("a number");
    let (barrier, seat) = (barrier(&members), Seat(&arena, COMER));
    let stayers = [0, 1].map(|rank| Seat(&arena, rank));
    let mut rng = Rng::new(number);
    let mut offer = number << 32;
    loop {
        seat.say(At::Joining);
        let mut party = barrier.join(COMER).expect("nobody has the rank");
        let joined_in = phase(&arena);
        seat.say(At::Party);
        until("the start", LIMIT, || orders(&arena)[1].load(SeqCst) == number);
        rng.pause(Duration::from_micros(60));
        assert_eq!(phase(&arena), joined_in, "a phase was complete without one of its parties");
        offer += 1;
        seat.offer().store(offer, Relaxed);
        party.wait().expect("nobody has died");
        party.wait().expect("nobody has died");
        for stayer in stayers {
            assert_eq!(stayer.offer().load(Relaxed), offer, "a stayer was in another phase");
        }
        seat.say(At::Departing);
        party.depart();
        seat.say(At::Departed);
        rng.pause(Duration::from_micros(60));
    }
}

/// What became of the two that stay.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    GoOn,
    Told,
}

pub(crate) fn comers_and_goers_are_killed() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = barrier(&members);
    let mut rng = Rng::of_this_run();
    let mut hits: BTreeMap<String, u32> = BTreeMap::new();
    let seats = [0, 1].map(|rank| Seat(&arena, rank));
    let comer = Seat(&arena, COMER);
    let mut stayers: Vec<Child> = (0..STAYERS)
        .map(|rank| arena.role("kills::departures::stayer").arg(rank).spawn())
        .collect();
    let [mut number, mut mended] = [0, 0];
    let mut enough = [0; 3];
    while enough[0] < DEPARTED || enough[1] < PARTY || enough[2] < BETWEEN {
        number += 1;
        comer.say(At::Starting);
        let mut victim = arena.role("kills::departures::comer").arg(number).spawn();
        until("it has joined", LIMIT, || comer.at() == At::Party);
        if barrier.is_broken() {
            barrier.reset();
            mended += 1;
            orders(&arena)[0].store(mended, SeqCst);
        }
        orders(&arena)[1].store(number, SeqCst);
        // Most of the kills are aimed, at what does not last.
        if rng.chance(75) {
            let aim = ALL[1 + usize::try_from(rng.below(4)).expect("below 4")];
            until("it comes by", LIMIT, || comer.at() == aim);
            if aim == At::Departed {
                rng.pause(Duration::from_micros(30));
            }
        } else {
            rng.pause(Duration::from_micros(1500));
        }
        victim.kill();
        let at = comer.at();

        let before = seats.map(|seat| seat.phases().load(SeqCst));
        let told = || seats.iter().all(|seat| seat.lost().load(SeqCst) != 0);
        let go_on = || seats.iter().zip(before).all(|(s, n)| s.phases().load(SeqCst) >= n + 4);
        until("the others go on, or are told", LIMIT, || told() || go_on());
        let outcome = if told() { Outcome::Told } else { Outcome::GoOn };
        if outcome == Outcome::Told {
            let named = seats.map(|seat| seat.lost().swap(0, SeqCst));
            assert_eq!(named, [u64::from(victim.pid()); 2], "the wrong process was named");
        } else {
            assert!(seats.iter().all(|seat| seat.lost().load(SeqCst) == 0), "one of two was told");
            assert!(!barrier.is_broken());
            barrier.withdraw(COMER, Absence::Died); // as a launcher may, who sees it end
            assert!(!barrier.is_broken(), "a departed one was withdrawn");
        }
        let kind = match at {
            At::Party => {
                assert_eq!(outcome, Outcome::Told, "a party died, and nobody was told");
                1
            }
            At::Departed => {
                assert_eq!(outcome, Outcome::GoOn, "it was missed after it had departed");
                0
            }
            At::Joining | At::Departing => 2,
            At::Starting => unreachable!("it has joined"),
        };
        enough[kind] += 1;
        *hits.entry(format!("{at:?}, the others: {outcome:?}")).or_default() += 1;
        for stayer in &mut stayers {
            assert!(stayer.is_running(), "a stayer failed");
        }
    }
    for (what, hits) in hits {
        println!("  {hits:6}  {what}");
    }
}
