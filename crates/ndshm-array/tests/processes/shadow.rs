//! Processes claim at random, at full speed, and write who they are into every row they have: nobody
//! else's name may ever be there while it is held.

use std::process;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use ndarray::{Ix2, ShapeBuilder};
use ndshm_array::{ClaimError, SharedArray2, WriteGuard};
use ndshm_testkit::{Child, Rng, Role, SharedMemory, arguments};

use crate::common::Name;

const ROWS: u64 = 40;
const PROCESSES: u64 = 4;
const TIME: Duration = Duration::from_millis(1500);

/// Counts of what was had and refused, in the words of a process.
const HAD: usize = 0;
const REFUSED: usize = 8;
const SHARED: usize = 16;
/// Beyond all processes: how many hold at this moment, and the most that did.
const HOLDING: usize = 1024;
const MOST: usize = 1032;

fn stay(stage: &SharedMemory, rng: &mut Rng) {
    let now = stage.word(HOLDING).fetch_add(1, SeqCst) + 1;
    stage.word(MOST).fetch_max(now, SeqCst);
    rng.pause(Duration::from_micros(60));
    stage.word(HOLDING).fetch_sub(1, SeqCst);
}

fn write(guard: &mut WriteGuard<'_, u64, Ix2>, me: u64, stage: &SharedMemory, rng: &mut Rng) {
    guard.fill(me);
    stay(stage, rng);
    for row in guard.rows() {
        assert!(row.iter().all(|x| *x == me), "{me}: somebody else wrote to {row:?}");
    }
    // Odd while it is written to, even after.
    guard.fill(me & !1);
}

pub(crate) fn claimant() {
    let stage = SharedMemory::inherited();
    let [name, seat, seed] = &arguments()[..] else { panic!("three arguments") };
    let seat: usize = seat.parse::<usize>().expect("a seat") * 64;
    let mut rng = Rng::new(seed.parse().expect("a seed"));
    let count = |what: usize| stage.word(seat + what).fetch_add(1, SeqCst);
    // SAFETY: all who have the name are these tests, which use claims.
    let a = unsafe { SharedArray2::<u64>::open(name) }.expect("it is there");
    let me = u64::from(process::id()) << 1 | 1;
    let start = Instant::now();
    while start.elapsed() < TIME {
        let (x, y) = (rng.below(ROWS + 1) as usize, rng.below(ROWS + 1) as usize);
        let most = if rng.chance(70) { 6 } else { ROWS as usize };
        let rows = x.min(y)..x.max(y).min(x.min(y) + most);
        let patience = Duration::from_micros(rng.below(3000));
        let refused = |e: &dyn std::fmt::Display, overlap: bool| {
            assert!(overlap, "{me}: {e}");
            count(REFUSED);
        };
        let overlaps = |e: &ClaimError<()>| match e {
            ClaimError::Overlap { held, by, .. } => {
                by.pid.is_some() && held.row_range().end <= ROWS as usize
            }
            // On a machine that is busy with other things, who has the table's lock may be without a processor.
            ClaimError::Busy { .. } => true,
            _ => false,
        };
        match rng.below(6) {
            0 | 1 => match a.claim_mut(rows) {
                Ok(mut one) => {
                    // A second one beside it, if there is room.
                    let two = a.claim_mut(one.row_range().end..ROWS as usize);
                    write(&mut one, me, &stage, &mut rng);
                    if let Ok(mut two) = two {
                        write(&mut two, me, &stage, &mut rng);
                    }
                    count(HAD);
                }
                Err(e) => refused(&e.to_string(), overlaps(&e.without_guard())),
            },
            2 | 3 => match a.claim_mut_timeout(rows, patience) {
                Ok(mut guard) => {
                    write(&mut guard, me, &stage, &mut rng);
                    count(HAD);
                }
                Err(e) => refused(&e.to_string(), overlaps(&e.without_guard())),
            },
            4 => match a.claim_timeout(rows, patience) {
                Ok(guard) => {
                    let before = guard.to_owned();
                    assert!(before.iter().all(|x| x & 1 == 0), "{me}: half-written is read");
                    stay(&stage, &mut rng);
                    assert_eq!(*guard, before, "{me}: it changed while it was read");
                    count(SHARED);
                }
                Err(e) => refused(&e.to_string(), overlaps(&e.without_guard())),
            },
            _ => match a.write_timeout(patience) {
                Ok(mut guard) => {
                    write(&mut guard, me, &stage, &mut rng);
                    count(HAD);
                }
                Err(e) => refused(&e.to_string(), overlaps(&e.without_guard())),
            },
        }
    }
    // The last word is whoever holds all: this has to end, since nobody stays.
    drop(a.write().expect("nobody died"));
}

pub(crate) fn nobody_is_ever_in_anybody_elses_rows() {
    let mut rng = Rng::of_this_run();
    for f_order in [false, true] {
        let (name, stage) = (Name::new("shadow"), SharedMemory::create(4096));
        let options = SharedArray2::<u64>::options().name(&*name);
        let a = options.zeros((ROWS as usize, 5).set_f(f_order)).expect("room");
        let role =
            |seat: u64| Role::new("shadow::claimant").shared(stage.file()).arg(&*name).arg(seat);
        let mut children: Vec<Child> =
            (0..PROCESSES).map(|seat| role(seat).arg(rng.next()).spawn()).collect();
        children.iter_mut().for_each(|child| child.succeed(Duration::from_secs(30)));
        let count = |what: usize| -> u64 {
            (0..PROCESSES as usize).map(|seat| stage.word(seat * 64 + what).load(SeqCst)).sum()
        };
        let (had, shared, refused) = (count(HAD), count(SHARED), count(REFUSED));
        let most = stage.word(MOST).load(SeqCst);
        println!("  {had} written, {shared} read, {refused} refused; at most {most} at once");
        assert!(had > 100 && shared > 50 && refused > 50 && most > 1, "too little of something");
        drop(a.write().expect("nobody left anything behind"));
    }
}
