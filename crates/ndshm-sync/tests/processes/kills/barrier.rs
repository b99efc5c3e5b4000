//! Parties of a barrier are killed; the others get an error that names them, or their phase.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use ndshm_sync::{Absence, Barrier, BarrierError, Lost, Members, Party};
use ndshm_testkit::{Child, Rng, Samples, arguments, until};

use crate::arena::Arena;

/// Kills that must have hit a party in the barrier.
const KILLS: u32 = 800;
const PARTIES: usize = 3;
const VICTIM: usize = 2;
const LIMIT: Duration = Duration::from_secs(30);

/// What a party is doing, and in which phase, counted from 0 over the whole test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Starting,
    /// Works for the phase.
    Working(u64),
    /// Is in the barrier at the end of the phase, or on the instruction before or after.
    Waiting(u64),
    /// The phase was broken, and the error named this process.
    Broken(u64),
}

impl At {
    fn bits(self) -> u64 {
        match self {
            Self::Starting => 0,
            Self::Working(n) => n << 2 | 1,
            Self::Waiting(n) => n << 2 | 2,
            Self::Broken(n) => n << 2 | 3,
        }
    }

    fn from_bits(bits: u64) -> Self {
        match (bits & 3, bits >> 2) {
            (1, n) => Self::Working(n),
            (2, n) => Self::Waiting(n),
            (3, n) => Self::Broken(n),
            _ => Self::Starting,
        }
    }
}

/// The page of a party.
#[derive(Clone, Copy)]
struct Seat<'a>(&'a Arena, usize);

impl Seat<'_> {
    fn say(self, at: At) {
        self.0.word(1 + self.1, 0).store(at.bits(), SeqCst);
    }

    fn at(self) -> At {
        At::from_bits(self.0.word(1 + self.1, 0).load(SeqCst))
    }

    /// Phases that it has worked for. Relaxed on purpose: the barrier makes it seen.
    fn work(self) -> &'static AtomicU64 {
        self.0.word(1 + self.1, 1)
    }

    /// The process id that the last error named.
    fn named(self) -> &'static AtomicU64 {
        self.0.word(1 + self.1, 2)
    }
}

/// The phase that all may work for from now on.
fn order(arena: &Arena) -> &'static AtomicU64 {
    arena.word(8, 0)
}

fn barrier<'m>(members: &'m Members<'m>) -> Barrier<'m> {
    members.layout().barrier(PARTIES).expect("no place for the barrier")
}

pub(crate) fn party() {
    let arena = Arena::inherited();
    let members = arena.join();
    let rank: usize = arguments()[0].parse().expect("a rank");
    let mut phase: u64 = arguments()[1].parse().expect("a phase");
    let mut party = barrier(&members).join(rank).expect("cannot join the barrier");
    let seat = Seat(&arena, rank);
    let mut rng = Rng::new(u64::from(std::process::id()));
    seat.say(At::Working(phase));
    until("the start", LIMIT, || order(&arena).load(SeqCst) >= phase);
    loop {
        let complete = one_phase(&arena, &mut party, seat, phase, &mut rng);
        phase += 1;
        if !complete {
            until("a new start", LIMIT, || order(&arena).load(SeqCst) >= phase);
        }
    }
}

/// Works, meets the others, and checks that theirs is done; `false` when the phase was broken.
fn one_phase(
    arena: &Arena,
    party: &mut Party<'_>,
    seat: Seat<'_>,
    phase: u64,
    rng: &mut Rng,
) -> bool {
    seat.say(At::Working(phase));
    rng.pause(Duration::from_micros(if seat.1 == VICTIM { 20 } else { 200 }));
    seat.work().store(phase + 1, Relaxed);
    seat.say(At::Waiting(phase));
    match party.wait() {
        Ok(_) => {
            for rank in 0..PARTIES {
                let work = Seat(arena, rank).work().load(Relaxed);
                assert!(work == phase + 1 || work == phase + 2, "rank {rank} is at {work}: a half");
            }
            true
        }
        Err(BarrierError::Broken { lost }) => {
            let [Lost { rank: VICTIM, why: Absence::Died, member: Some(dead) }] = lost[..] else {
                panic!("rank {VICTIM} has died, but: {lost:?}");
            };
            seat.named().store(dead.pid.expect("its slot is not taken yet").into(), SeqCst);
            seat.say(At::Broken(phase));
            false
        }
        Err(e) => panic!("{e}"),
    }
}

pub(crate) fn parties_are_killed() {
    let arena = Arena::create();
    let members = arena.join();
    let barrier = barrier(&members);
    let mut rng = Rng::of_this_run();
    let mut hits: BTreeMap<&str, u32> = BTreeMap::new();
    let mut notice = Samples::new();
    // Not 0, which is what the order says before it is given.
    let (mut phase, mut counted) = (1, 0);

    let spawn = |rank: usize, phase: u64| {
        Seat(&arena, rank).say(At::Starting);
        arena.role("kills::barrier::party").arg(rank).arg(phase).spawn()
    };
    let mut survivors: Vec<Child> = (0..VICTIM).map(|rank| spawn(rank, phase)).collect();
    let seats = [0, 1].map(|rank| Seat(&arena, rank));
    let victims = Seat(&arena, VICTIM);
    while counted < KILLS {
        let mut victim = spawn(VICTIM, phase);
        until("all have joined", LIMIT, || victims.at() == At::Working(phase));
        // The victim that joins is part of the next phase, whether the reset comes before or after.
        barrier.reset();
        order(&arena).store(phase, SeqCst);
        if rng.chance(90) {
            until("a phase has passed", LIMIT, || victims.at().bits() >> 2 > phase);
        }
        rng.pause(Duration::from_micros(1500));
        victim.kill();
        let dead = Instant::now();
        let at = victims.at();

        let mut broken = [0; VICTIM];
        for (seat, broken) in seats.into_iter().zip(&mut broken) {
            until(
                "the others are told",
                LIMIT,
                || matches!(seat.at(), At::Broken(n) if { *broken = n; n >= phase }),
            );
            let named = seat.named().swap(0, SeqCst);
            assert_eq!(named, u64::from(victim.pid()), "the wrong process was named");
        }
        notice.add(dead.elapsed());
        assert_eq!(
            broken[0], broken[1],
            "a phase that was complete for one and broken for another"
        );
        let (what, possible) = match at {
            At::Working(n) => ("at work", n..=n),
            At::Waiting(n) => ("in the barrier", n..=n + 1),
            at => panic!("a victim at {at:?}"),
        };
        assert!(possible.contains(&broken[0]), "killed {at:?}, and phase {} is broken", broken[0]);
        *hits.entry(what).or_default() += 1;
        counted += u32::from(what == "in the barrier");
        phase = broken[0] + 1;
        for survivor in &mut survivors {
            assert!(survivor.is_running(), "a survivor failed");
        }
    }
    drop(survivors);
    println!("  {phase} phases; 0 halves, 0 hangs, 0 wrongly named");
    println!("  from the death to both survivors' errors: {notice}");
    for (what, hits) in hits {
        println!("  {hits:6}  party, {what}");
    }
}
