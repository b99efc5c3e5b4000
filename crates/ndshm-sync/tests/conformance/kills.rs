//! SIGKILL of those who contend for a lock, at whatever instruction they are: in its wait, in its wake-up
//! of others, inside.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{BackendKind, LockError};
use ndshm_testkit::{Child, Rng, arguments};

use crate::arena::Arena;
use crate::subject::LIMIT;

const PLAYERS: usize = 3;
const KILLS: usize = 120;

/// Two words that are equal whenever nobody is inside; page 1, word `number`: in what state it is.
type Pair = [u64; 2];

const OUT: u64 = 1;
const WAITS: u64 = 2;
const INSIDE: u64 = 3;

pub(crate) fn player() {
    let arena = Arena::inherited();
    let members = arena.join();
    let mutex = members.layout().mutex([0_u64; 2]).expect("no mutex");
    let [number, seed] = [1, 2].map(|n| arguments()[n].parse::<u64>().expect("a number"));
    let mut rng = Rng::new(seed);
    let say = |state| arena.word(1, usize::try_from(number).expect("few")).store(state, SeqCst);
    loop {
        say(WAITS);
        let mut guard = match mutex.lock_timeout(LIMIT) {
            Ok(guard) => {
                assert_eq!(guard[0], guard[1], "half a change, taken for a whole one");
                guard
            }
            Err(LockError::Poisoned(p)) => {
                arena.word(2, 1).fetch_add(1, SeqCst);
                let mut guard = p.into_inner();
                guard[1] = guard[0];
                guard.clear_poison();
                guard
            }
            Err(e) => panic!("a lock that hangs: {e}"),
        };
        say(INSIDE);
        guard[0] += 1;
        rng.pause(Duration::from_micros(300));
        guard[1] += 1;
        say(OUT);
        drop(guard);
        arena.word(2, 0).fetch_add(1, SeqCst);
        rng.pause(Duration::from_micros(50));
    }
}

pub(crate) fn at_any_moment(kind: BackendKind) {
    let arena = Arena::create(kind);
    let members = arena.join();
    let mutex = members.layout().mutex([0_u64; 2]).expect("no mutex");
    let mut rng = Rng::of_this_run();
    let spawn = |number: usize, rng: &mut Rng| -> Child {
        arena.word(1, number).store(0, SeqCst);
        arena.role("kills::player").arg(number).arg(rng.next() >> 1).spawn()
    };
    let mut players: Vec<_> = (0..PLAYERS).map(|n| spawn(n, &mut rng)).collect();
    let mut states = [0_usize; 4];
    for _ in 0..KILLS {
        let n = usize::try_from(rng.below(PLAYERS as u64)).expect("few");
        ndshm_testkit::until("it plays", LIMIT, || arena.word(1, n).load(SeqCst) != 0);
        rng.pause(Duration::from_millis(4));
        players[n].kill();
        states[usize::try_from(arena.word(1, n).load(SeqCst)).expect("a state")] += 1;
        players[n] = spawn(n, &mut rng);
        for player in &mut players {
            assert!(player.is_running(), "a player has failed");
        }
    }
    let turns = arena.word(2, 0).load(SeqCst);
    ndshm_testkit::until("it goes on", LIMIT, || arena.word(2, 0).load(SeqCst) > turns + 10);
    drop(players); // killed
    let pair: Pair = match mutex.lock_timeout(LIMIT) {
        Ok(guard) => *guard,
        Err(LockError::Poisoned(p)) => {
            let mut guard = p.into_inner();
            guard[1] = guard[0];
            *guard
        }
        Err(e) => panic!("a lock that hangs: {e}"),
    };
    assert_eq!(pair[0], pair[1]);
    let [starting, out, waiting, inside] = states;
    println!(
        "  killed: {starting} starting, {out} outside or releasing, {waiting} waiting, {inside} inside; \
         {turns} turns, {} take-overs",
        arena.word(2, 1).load(SeqCst)
    );
    assert!(inside > 0 && waiting > 0, "some are killed inside, and some waiting");
}
