//! Each set lets one go, or all that wait; none is missed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_sync::Reset;
use ndshm_testkit::{Child, Rng, arguments, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(30);
const SETS: u64 = 20_000;
const PULSES: u64 = 400;
const KILLS: u32 = 250;

/// Goes on as often as an auto-reset event lets it. Its page: word 0 counts that, word 1 is 1 while it
/// waits, word 2 counts how often it waited in vain.
///
/// Arguments: its page, how many milliseconds it waits at most (0: for ever).
pub(crate) fn goer() {
    let arena = Arena::inherited();
    let members = arena.join();
    let event = members.layout().event(Reset::Auto).expect("no event");
    let page = arguments()[0].parse().expect("a page");
    let most = arguments()[1].parse().expect("a number");
    loop {
        arena.word(page, 1).store(1, SeqCst);
        if most == 0 {
            event.wait().expect("this process is a member");
        } else if event.wait_timeout(Duration::from_millis(most)).is_err() {
            arena.word(page, 2).fetch_add(1, SeqCst);
            continue;
        }
        arena.word(page, 0).fetch_add(1, SeqCst);
        arena.word(page, 1).store(0, SeqCst);
    }
}

fn goer_of(arena: &Arena, page: usize, most: u64) -> Child {
    arena.role("event::goer").arg(page).arg(most).spawn()
}

pub(crate) fn each_set_lets_one_go() {
    let arena = Arena::create();
    let members = arena.join();
    let event = members.layout().event(Reset::Auto).expect("no event");
    let mut goers = [1, 2, 3].map(|page| goer_of(&arena, page, 0));
    let gone = || [1, 2, 3].map(|page| arena.word(page, 0).load(SeqCst));
    let mut rng = Rng::of_this_run();
    for n in 1..=SETS {
        event.set();
        until("one goes on", LIMIT, || gone().iter().sum::<u64>() >= n);
        if rng.chance(1) {
            rng.pause(Duration::from_micros(300)); // so that they sleep
        }
        assert_eq!(gone().iter().sum::<u64>(), n, "one set, and two went on");
    }
    thread::sleep(Duration::from_millis(60)); // longer than a slice
    assert!(!event.is_set());
    println!("  {:?} went on", gone());
    assert_eq!(gone().iter().sum::<u64>(), SETS);
    assert!(goers.iter_mut().all(Child::is_running));
}

/// Waits `PULSES` times for a manual event. Argument: its page.
pub(crate) fn watcher() {
    let arena = Arena::inherited();
    let members = arena.join();
    let event = members.layout().event(Reset::Manual).expect("no event");
    let page = arguments()[0].parse().expect("a page");
    for pulse in 1..=PULSES {
        until("it may wait", LIMIT, || arena.word(1, 0).load(SeqCst) >= pulse);
        event.wait_timeout(LIMIT).expect("it was set while this one waited");
        arena.word(page, 0).store(pulse, SeqCst);
    }
}

/// Set and reset before the sleeper can look.
pub(crate) fn who_waits_when_it_is_set_goes_on() {
    let arena = Arena::create();
    let members = arena.join();
    let event = members.layout().event(Reset::Manual).expect("no event");
    let mut watcher = arena.role("event::watcher").arg(2).spawn();
    let start = Instant::now();
    for pulse in 1..=PULSES {
        arena.word(1, 0).store(pulse, SeqCst);
        until("it sleeps", LIMIT, || event.inspect().sleepers);
        event.set();
        event.reset();
        assert!(!event.is_set());
        until("it goes on", LIMIT, || arena.word(2, 0).load(SeqCst) == pulse);
    }
    let took = start.elapsed();
    println!("  {PULSES} times in {took:.1?}");
    assert!(took < Duration::from_secs(8), "it was not woken, but looked after its slices");
    watcher.succeed(LIMIT);
}

pub(crate) fn all_go_on_while_it_is_set() {
    let arena = Arena::create();
    let members = arena.join();
    let event = members.layout().event(Reset::Manual).expect("no event");
    let mut watchers = [2, 3, 4].map(|page| arena.role("event::watcher").arg(page).spawn());
    arena.word(1, 0).store(1, SeqCst);
    until("somebody sleeps", LIMIT, || event.inspect().sleepers);
    event.set();
    arena.word(1, 0).store(PULSES, SeqCst);
    watchers.iter_mut().for_each(|watcher| watcher.succeed(LIMIT));
    assert!(event.is_set(), "it stays set");
}

/// One that is let go and dies has had it; the next set lets another go.
pub(crate) fn waiters_are_killed() {
    const VICTIM: usize = 2;
    let arena = Arena::create();
    let members = arena.join();
    let event = members.layout().event(Reset::Auto).expect("no event");
    let gone = |page: usize| arena.word(page, 0).load(SeqCst);
    let waits = |page: usize| arena.word(page, 1).load(SeqCst) == 1;
    let mut survivor = goer_of(&arena, 1, 2);
    until("the survivor waits", LIMIT, || waits(1));
    let mut rng = Rng::of_this_run();
    let mut hits: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..KILLS {
        let before = [1, VICTIM].map(gone);
        let went = |n: u64| gone(1) + gone(VICTIM) == before[0] + before[1] + n;
        let mut victim = goer_of(&arena, VICTIM, 0);
        until("the victim waits", LIMIT, || waits(VICTIM));
        rng.pause(Duration::from_micros(400)); // spinning or asleep
        if rng.chance(50) {
            victim.kill_now();
        }
        event.set();
        rng.pause(Duration::from_micros(60));
        victim.kill();
        // Nobody else takes it back, so it is gone with the victim or let somebody go.
        until("it is over", LIMIT, || !event.is_set());
        // What let the survivor go before it waits in vain it has counted.
        let vain = || arena.word(1, 2).load(SeqCst);
        let now = vain();
        until("the survivor has counted", LIMIT, || vain() > now + 1);
        let what = if went(0) {
            "with a set that had let it go"
        } else if gone(VICTIM) == before[1] {
            assert!(went(1), "one set, and two went on");
            "waiting"
        } else {
            assert!(went(1), "one set, and two went on");
            "after it had gone on"
        };
        *hits.entry(what).or_default() += 1;
        arena.word(VICTIM, 1).store(0, SeqCst);
        let survived = gone(1);
        event.set();
        until("the other goes on", LIMIT, || gone(1) == survived + 1);
        assert!(survivor.is_running(), "the survivor failed");
    }
    survivor.kill();
    for (what, hits) in hits {
        println!("  {hits:6}  waiter, {what}");
    }
}
