//! Makers of values are killed: a value is whole or not there, and the next makes up for it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::Duration;

use ndshm_sync::{Members, OnceCell, OnceError, OnceWords};
use ndshm_testkit::{Rng, Role, SharedMemory, arguments, until};
use std::os::fd::AsFd;

/// Kills that must have hit a maker at work.
const KILLS: u32 = 120;
const LIMIT: Duration = Duration::from_secs(30);

/// Large enough to be met half-written.
type Value = [u64; 128];
const CELLS: usize = 2000;
/// The most that a victim makes: with the last of these it waits to be killed.
const LAP: usize = 60;
const REGION: usize = Members::SIZE + CELLS * size_of::<OnceWords<Value>>();

/// The words of the victim: its cell and what it does there; the cell to begin with.
fn word(memory: &SharedMemory, n: usize) -> &'static AtomicU64 {
    memory.word(REGION + 8 * n)
}

const OUT: u64 = 0;
const CALLED: u64 = 1;
const MAKING: u64 = 2;
const MADE: u64 = 3;

fn say(memory: &SharedMemory, cell: usize, what: u64) {
    word(memory, 0).store((cell as u64) << 2 | what, SeqCst);
}

fn join(memory: &SharedMemory) -> Members<'_> {
    // SAFETY: a fresh memfd, mapped for the rest of the process's life; the first `REGION` bytes
    // are used through this crate only.
    let region = unsafe { ndshm_sync::Region::new(memory.base(), REGION, memory.file().as_fd()) };
    Members::join(region).expect("cannot join")
}

fn cells<'m>(members: &'m Members<'m>) -> Vec<OnceCell<'m, Value>> {
    let mut layout = members.layout();
    (0..CELLS).map(|_| layout.once_cell().expect("no place for the cell")).collect()
}

pub(crate) fn maker() {
    let memory = SharedMemory::inherited();
    let members = join(&memory);
    let number: u64 = arguments()[0].parse().expect("a number");
    let cells = cells(&members);
    let mut rng = Rng::new(number);
    let first = usize::try_from(word(&memory, 1).load(SeqCst)).expect("a cell");
    for (i, cell) in cells.iter().enumerate().skip(first) {
        say(&memory, i, CALLED);
        let value = cell.get_or_init(|| {
            say(&memory, i, MAKING);
            if i == first + LAP {
                thread::sleep(LIMIT);
            }
            rng.pause(Duration::from_micros(15));
            [number; 128]
        });
        let whole = value.expect("nobody has died").iter().all(|&v| v == number);
        assert!(whole, "there was a value already");
        say(&memory, i, MADE);
    }
    panic!("nobody has killed it");
}

pub(crate) fn makers_are_killed() {
    let mut rng = Rng::of_this_run();
    let mut hits: BTreeMap<&str, u32> = BTreeMap::new();
    let told = AtomicU64::new(0);
    while hits.get(AT_WORK).is_none_or(|&n| n < KILLS) {
        until_used_up(&mut rng, &mut hits, &told);
    }
    println!("  {} waiters were told of a death", told.load(Relaxed));
    for (what, hits) in hits {
        println!("  {hits:6}  {what}");
    }
}

const AT_WORK: &str = "maker, at work";

fn until_used_up(rng: &mut Rng, hits: &mut BTreeMap<&str, u32>, told: &AtomicU64) {
    let memory = SharedMemory::create(REGION + 4096);
    let members = join(&memory);
    let cells = cells(&members);
    let (mut first, mut number) = (0, 0);
    while first + LAP + 2 < CELLS && hits.get(AT_WORK).is_none_or(|&n| n < KILLS) {
        number += 1;
        word(&memory, 1).store(first as u64, SeqCst);
        say(&memory, first, OUT);
        let role = Role::new("kills::once::maker").shared(memory.file()).arg(number);
        let mut victim = role.spawn();
        until("it has begun", LIMIT, || word(&memory, 0).load(SeqCst) != (first as u64) << 2 | OUT);
        let pid = victim.pid();
        // One waits for the cells one after another, until it is told of the death.
        let (met, at) = thread::scope(|s| {
            // Not always: it learns of the death only after its slice of sleep.
            let watched = rng.chance(30);
            let waiter = watched.then(|| {
                s.spawn(|| {
                    for (i, cell) in cells.iter().enumerate().skip(first) {
                        match cell.wait_timeout(LIMIT) {
                            // 0: set by the parent, below.
                            Ok(value) if value[0] == 0 => return i,
                            Ok(value) => assert!(value.iter().all(|&v| v == number), "a half"),
                            Err(OnceError::Abandoned { by, panicked: false }) => {
                                assert_eq!(by.pid, Some(pid), "the wrong process was named");
                                told.fetch_add(1, Relaxed);
                                return i;
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                    unreachable!("there are more cells than that");
                })
            });
            rng.pause(Duration::from_micros(150));
            victim.kill();
            let (cell, at) = {
                let word = word(&memory, 0).load(SeqCst);
                (usize::try_from(word >> 2).expect("a cell"), word & 3)
            };
            // Made up for, once the waiter has seen what there is to see of the death.
            let abandoned = || matches!(cells[cell].try_wait(), Err(OnceError::Abandoned { .. }));
            if let Some(waiter) = &waiter
                && abandoned()
            {
                until("the waiter is told", LIMIT, || waiter.is_finished());
            }
            let mut mine = false;
            let value = cells[cell].get_or_init(|| {
                mine = true;
                [number; 128]
            });
            assert!(value.expect("it is dead").iter().all(|&v| v == number), "a half");
            // And the next one, for a waiter that has come as far as that.
            cells[cell + 1].set([0; 128]).expect("nobody has begun with that");
            if let Some(waiter) = waiter {
                let seen = waiter.join().expect("the waiter panicked");
                assert!(seen == cell || seen == cell + 1, "told at {seen}, killed at {cell}");
            }
            ((cell, mine), at)
        });
        let (cell, mine) = met;
        let what = match (at, mine) {
            (MAKING, true) => AT_WORK,
            (MAKING, false) => "maker, value whole",
            (CALLED, true) => "maker, about to begin",
            (MADE | OUT, false) => "maker, done",
            other => panic!("killed at {other:?}"),
        };
        *hits.entry(what).or_default() += 1;
        first = cell + 2;
    }
}
