//! Holders, waiters and recoverers of a mutex are killed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_testkit::{Child, Rng, Samples, arguments, until};

use super::ledger;
use super::player::{At, Log, Player, Seat};
use crate::arena::Arena;

/// Kills of each kind that must have hit.
const HOLDERS: u32 = 800;
const WAITERS: u32 = 800;
const RECOVERERS: u32 = 150;

const LIMIT: Duration = Duration::from_secs(30);

/// Pages of the arena; 1 and 2 are the log and the word of who is inside.
const PARENT: usize = 3;
const SURVIVOR: usize = 4;
const VICTIM: usize = 5;
const SECOND: usize = 6;
/// Word 0: all survivors end. Word 1: the number of the one that may go on.
const ORDERS: usize = 7;

fn seat_and_number() -> (usize, u64) {
    let arguments = arguments();
    (arguments[0].parse().expect("a page"), arguments[1].parse().expect("a number"))
}

/// Takes turns until it is told to end, or killed.
pub(crate) fn player() {
    let arena = Arena::inherited();
    let members = arena.join();
    let (page, number) = seat_and_number();
    let mut player = Player::new(&arena, &members, page, number);
    while arena.word(ORDERS, 0).load(SeqCst) == 0 {
        player.turn();
        let pause = Duration::from_micros(if page == SURVIVOR { 100 } else { 20 });
        player.rng.pause(pause);
    }
}

/// Writes half of the words, and keeps the lock.
pub(crate) fn holder() {
    let arena = Arena::inherited();
    let members = arena.join();
    let (page, number) = seat_and_number();
    let mut player = Player::new(&arena, &members, page, number);
    let (mut guard, _) = player.lock();
    let head = ledger::head(ledger::count(&guard) + 1, number);
    ledger::write(&mut guard, head, |k| {
        player.say(At::Mid(k));
        if k == 5 {
            thread::sleep(Duration::from_secs(60));
        }
    });
}

/// Once told to, takes turns: the first finds the lock of a dead one.
pub(crate) fn recoverer() {
    let arena = Arena::inherited();
    let members = arena.join();
    let (page, number) = seat_and_number();
    let mut player = Player::new(&arena, &members, page, number);
    player.say(At::Out);
    while arena.word(ORDERS, 1).load(SeqCst) != number {
        std::hint::spin_loop();
    }
    loop {
        player.turn();
    }
}

/// The parent's side: who has played, how often, and what is to be found in the ledger for it.
struct Game<'m> {
    arena: &'m Arena,
    parent: Player<'m>,
    rng: Rng,
    next: u64,
    /// Turns of the dead.
    done: u64,
    hits: BTreeMap<String, u32>,
}

impl<'m> Game<'m> {
    fn spawn(&mut self, role: &str, page: usize) -> (Child, Seat, u64) {
        let number = self.next;
        self.next += 1;
        let seat = Seat::new(self.arena, page);
        seat.clear();
        let role = format!("kills::mutex::{role}");
        (self.arena.role(&role).arg(page).arg(number).spawn(), seat, number)
    }

    fn hit(&mut self, what: &str) -> u32 {
        let hits = self.hits.entry(what.to_owned()).or_default();
        *hits += 1;
        *hits
    }

    /// Adds the turns of a dead player, its last one if that came to be.
    fn account(&mut self, seat: Seat, mended: &[(u64, u32)]) {
        let (at, done) = seat.read();
        let last = match at {
            At::Starting | At::Out | At::Waiting | At::Recovering => false,
            At::WaitingToRead | At::Reading => unreachable!("a mutex has no readers"),
            // Between the first word and the note of it: whoever mended has seen which.
            At::Before => mended.iter().any(|&(head, _)| head == seat.target()),
            At::Mid(_) | At::Done => true,
        };
        self.done += done + u64::from(last);
    }

    /// Ends the survivor, and checks that no turn was lost.
    fn end(mut self, survivor: Option<Child>) {
        self.arena.word(ORDERS, 0).store(1, SeqCst);
        let mut survived = 0;
        if let Some(mut survivor) = survivor {
            survivor.succeed(LIMIT);
            survived = Seat::new(self.arena, SURVIVOR).read().1;
        }
        let (guard, mended) = self.parent.lock();
        let count = ledger::count(&guard);
        self.parent.unlock(guard);
        assert!(!mended, "somebody died at the end");
        assert_eq!(count, self.done + survived, "turns were lost, or came from nowhere");
        println!("  {count} turns, none lost; 0 torn taken for clean, 0 stolen, 0 hangs");
        for (what, hits) in &self.hits {
            println!("  {hits:6}  {what}");
        }
    }
}

fn play(game: impl FnOnce(Game<'_>)) {
    let arena = Arena::create();
    let members = arena.join();
    let parent = Player::new(&arena, &members, PARENT, 1);
    let rng = Rng::of_this_run();
    game(Game { arena: &arena, parent, rng, next: 10, done: 0, hits: BTreeMap::new() });
}

pub(crate) fn holders_are_killed() {
    play(|mut game| {
        let (survivor, ..) = game.spawn("player", SURVIVOR);
        let mut counted = 0;
        while counted < HOLDERS {
            let (mut victim, seat, _) = game.spawn("player", VICTIM);
            if game.rng.chance(5) {
                game.rng.pause(Duration::from_millis(3)); // perhaps while it joins
            } else {
                until("the victim plays", LIMIT, || seat.read().1 > 0);
                game.rng.pause(Duration::from_micros(1500));
            }
            let pid = victim.pid();
            // Mostly without waiting for the end of its death: recovery begins on a dying process.
            victim.kill_now();
            if game.rng.chance(50) {
                let (guard, _) = game.parent.lock();
                game.parent.unlock(guard);
            }
            victim.kill();

            let (guard, _) = game.parent.lock();
            let mended = Log(game.arena).take();
            game.parent.unlock(guard);
            game.account(seat, &mended);
            let of_victim = mended.iter().filter(|&&(_, culprit)| culprit == pid).count();
            assert_eq!(of_victim, mended.len(), "{mended:?}: only {pid} has died");
            let at = seat.read().0;
            match at {
                At::Before | At::Mid(_) => {
                    assert_eq!(of_victim, 1, "killed at {at:?}, and nobody was told once");
                    game.hit("holder");
                    counted += 1;
                }
                At::Done if of_victim == 1 => {
                    game.hit("holder, all written");
                    counted += 1;
                }
                _ => {
                    assert!(of_victim <= 1, "told more than once of one death");
                    game.hit(&format!("not counted: {at:?}"));
                }
            }
        }
        game.end(Some(survivor));
    });
}

pub(crate) fn waiters_are_killed() {
    play(|mut game| {
        let (survivor, survives, _) = game.spawn("player", SURVIVOR);
        until("the survivor plays", LIMIT, || survives.read().1 > 0);
        let mut wakes = Samples::new();
        let mut counted = 0;
        while counted < WAITERS {
            let (guard, _) = game.parent.lock();
            let (mut victim, seat, _) = game.spawn("player", VICTIM);
            until("the victim waits", LIMIT, || seat.read().0 == At::Waiting);
            // From the first spin to well into the sleep.
            let most = if game.rng.chance(20) { 10_000 } else { 400 };
            game.rng.pause(Duration::from_micros(most));

            let turns = survives.read().1;
            let survivor_waits = survives.read().0 == At::Waiting;
            let start;
            let held_on = game.rng.chance(50);
            if held_on {
                victim.kill();
                start = Instant::now();
                game.parent.unlock(guard);
            } else {
                // At the moment in which it may be the one that is woken.
                start = Instant::now();
                let first = game.rng.chance(50);
                if first {
                    victim.kill_now();
                }
                game.parent.unlock(guard);
                if !first {
                    game.rng.pause(Duration::from_micros(60));
                }
                victim.kill();
            }
            until("the other waiter goes on", LIMIT, || survives.read().1 > turns);
            if survivor_waits {
                wakes.add(start.elapsed());
            }

            let (guard, _) = game.parent.lock();
            let mended = Log(game.arena).take();
            game.parent.unlock(guard);
            game.account(seat, &mended);
            match seat.read().0 {
                At::Waiting if mended.is_empty() => {
                    let when = if held_on { "during the wait" } else { "at the release" };
                    game.hit(&format!("waiter, {when}"));
                    counted += 1;
                }
                at => {
                    assert!(!held_on, "{at:?} while another held the lock");
                    game.hit(&format!("not counted: {at:?}"));
                }
            }
        }
        println!("  from release to the end of the other waiter's turn: {wakes}");
        game.end(Some(survivor));
    });
}

pub(crate) fn recoverers_are_killed() {
    play(|mut game| {
        let mut counted = 0;
        while counted < RECOVERERS {
            let (mut first, first_seat, _) = game.spawn("holder", VICTIM);
            let (mut second, second_seat, number) = game.spawn("recoverer", SECOND);
            until("the lock is held", LIMIT, || first_seat.read().0 == At::Mid(5));
            until("another is ready", LIMIT, || second_seat.read().0 == At::Out);
            first.kill();
            game.arena.word(ORDERS, 1).store(number, SeqCst);
            game.rng.pause(Duration::from_micros(500));
            let pids = [first.pid(), second.pid()];
            second.kill();

            let (guard, poisoned) = game.parent.lock();
            let mended = Log(game.arena).take();
            game.parent.unlock(guard);
            game.account(first_seat, &mended);
            game.account(second_seat, &mended);
            assert!(mended.iter().all(|(_, pid)| pids.contains(pid)), "{mended:?} of {pids:?}");
            let at = second_seat.read().0;
            match at {
                At::Waiting | At::Recovering | At::Before | At::Mid(_)
                    if second_seat.read().1 == 0 =>
                {
                    assert!(
                        poisoned,
                        "killed at {at:?} with the lock of a dead one: taken for clean"
                    );
                    let last = mended.last().map(|m| m.1);
                    if at != At::Waiting {
                        assert_eq!(
                            last,
                            Some(pids[1]),
                            "the last to die with the lock was another"
                        );
                    }
                    game.hit(match at {
                        At::Waiting if last == Some(pids[1]) => "recoverer, taking over",
                        At::Waiting => "recoverer, about to take over",
                        At::Recovering => "recoverer, mending",
                        _ => "recoverer, after mending",
                    });
                    counted += u32::from(at == At::Recovering || last == Some(pids[1]));
                }
                _ => {
                    game.hit(&format!("not counted: {at:?}"));
                }
            }
        }
        game.end(None);
    });
}
