//! Posts and takes across processes: none is lost, none is taken twice.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_testkit::{Child, Rng, arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(30);
const EACH: u64 = 30_000;
const KILLS: u32 = 250;

/// Page of a taker: word 0 is 1 while it is in `wait`, word 1 counts what it has taken, word 2 how
/// often it waited in vain.
///
/// Arguments: its page, how many it takes (0: for ever), how long it waits at most (0: for ever).
pub(crate) fn taker() {
    let arena = Arena::inherited();
    let members = arena.join();
    let signal = members.layout().signal_semaphore(5).expect("no semaphore");
    let arguments: Vec<u64> = arguments().iter().map(|a| a.parse().expect("a number")).collect();
    let page = usize::try_from(arguments[0]).expect("a page");
    let (waits, taken) = (arena.word(page, 0), arena.word(page, 1));
    let (turns, mut turn) = (arguments[1], 0);
    while turns == 0 || turn < turns {
        waits.store(1, SeqCst);
        if arguments[2] == 0 {
            signal.wait().expect("this process is a member");
        } else if signal.wait_timeout(Duration::from_millis(arguments[2])).is_err() {
            arena.word(page, 2).fetch_add(1, SeqCst);
            continue;
        }
        taken.fetch_add(1, SeqCst);
        waits.store(0, SeqCst);
        turn += 1;
    }
}

/// Posts `EACH`, one or some at a time.
pub(crate) fn poster() {
    let arena = Arena::inherited();
    let members = arena.join();
    let signal = members.layout().signal_semaphore(5).expect("no semaphore");
    let mut rng = Rng::new(u64::from(std::process::id()));
    let mut left = EACH;
    while left > 0 {
        let n = (1 + rng.below(4)).min(left);
        let posted =
            if n == 1 { signal.post() } else { signal.post_many(u32::try_from(n).expect("a few")) };
        posted.expect("far from full");
        left -= n;
        if rng.chance(1) {
            rng.pause(Duration::from_micros(200)); // so that the takers sleep now and then
        }
    }
}

fn taker_of(arena: &Arena, page: usize, turns: u64, most: u64) -> Child {
    arena.role("signal::taker").arg(page).arg(turns).arg(most).spawn()
}

pub(crate) fn posts_equal_takes() {
    let arena = Arena::create();
    let members = arena.join();
    let signal = members.layout().signal_semaphore(5).expect("no semaphore");
    let takers = [1, 2].map(|page| taker_of(&arena, page, EACH, 0));
    let posters = [0, 1].map(|_| arena.role("signal::poster").spawn());
    takers.into_iter().chain(posters).for_each(|mut child| child.succeed(LIMIT));
    assert_eq!(signal.value(), 5, "what it began with");
}

/// What was posted is taken by the living, or by one that was killed in `wait`.
pub(crate) fn takers_are_killed() {
    const VICTIM: usize = 2;
    let arena = Arena::create();
    let members = arena.join();
    let signal = members.layout().signal_semaphore(5).expect("no semaphore");
    let mut rng = Rng::of_this_run();
    let taken = |page: usize| arena.word(page, 1).load(SeqCst);
    let mut survivor = taker_of(&arena, 1, 0, 2);
    until("it has taken what there was", LIMIT, || taken(1) == 5);
    let (mut posted, mut gone) = (5, 0);
    let mut hits: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..KILLS {
        let before = taken(VICTIM);
        let mut victim = taker_of(&arena, VICTIM, 0, 0);
        until("the victim waits", LIMIT, || arena.word(VICTIM, 0).load(SeqCst) == 1);
        rng.pause(Duration::from_micros(400)); // spinning or asleep
        let n = 1 + rng.below(6);
        let killed_first = rng.chance(50);
        if killed_first {
            victim.kill_now();
        }
        signal.post_many(u32::try_from(n).expect("a few")).expect("far from full");
        posted += n;
        rng.pause(Duration::from_micros(60));
        victim.kill();
        until("all are taken", LIMIT, || signal.value() == 0);
        // What the survivor took before it waits in vain it has counted.
        let vain = || arena.word(1, 2).load(SeqCst);
        let now = vain();
        until("the survivor has counted", LIMIT, || vain() > now + 1);
        // All but one at most, which the victim had taken without saying so.
        let there = || taken(1) + taken(VICTIM) + gone;
        let lost = posted - there();
        gone += lost;
        assert!(lost <= 1, "{lost} were lost");
        arena.word(VICTIM, 0).store(0, SeqCst);
        let what = match (lost, taken(VICTIM) - before) {
            (1, _) => "with one that it had just taken",
            (_, 0) => "waiting",
            _ => "after it had taken some",
        };
        *hits.entry(what).or_default() += 1;
        assert!(survivor.is_running(), "the survivor failed");
    }
    survivor.kill();
    for (what, hits) in hits {
        println!("  {hits:6}  taker, {what}");
    }
}

pub(crate) fn as_many_go_on_as_were_posted() {
    let arena = Arena::create();
    let members = arena.join();
    let signal = members.layout().signal_semaphore(0).expect("no semaphore");
    let done = arena.word(1, 0);
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                arena.word(1, 1).fetch_add(1, SeqCst);
                signal.wait_timeout(LIMIT).expect("there are enough");
                done.fetch_add(1, SeqCst);
            });
        }
        until("all wait", LIMIT, || arena.word(1, 1).load(SeqCst) == 3);
        thread::sleep(Duration::from_millis(20)); // most often they sleep by now
        signal.post_many(2).expect("far from full");
        until("two go on", LIMIT, || done.load(SeqCst) == 2);
        thread::sleep(Duration::from_millis(60)); // longer than a slice
        assert_eq!((done.load(SeqCst), signal.value()), (2, 0));
        signal.post().expect("far from full");
        until("so does the third", LIMIT, || done.load(SeqCst) == 3);
    });
    assert_eq!(signal.value(), 0);
}
