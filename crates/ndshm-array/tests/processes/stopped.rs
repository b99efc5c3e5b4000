//! SIGSTOP: who is stopped is alive, is waited for, and never robbed.

use std::fs::File;
use std::time::{Duration, Instant};

use ndshm_array::{ClaimError, SharedArray2};
use ndshm_testkit::{Rng, Role, SharedMemory, until};

use crate::claims::{held, release, spawn};
use crate::common::{Name, one_line};
use crate::kills::table_lock;
use crate::victim::{COLUMNS, ROWS, VICTIMS};

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn a_holder_of_rows_is_waited_for() {
    let (name, stage) = (Name::new("stopped"), SharedMemory::create(4096));
    let a = SharedArray2::<u64>::options().name(&*name).zeros((4, 2)).expect("room");
    let mut child = spawn(&stage, &name, 0, &["w1..3"]);
    held(&stage, 1);
    child.stop();
    let refused = a.write_timeout(Duration::from_millis(300)).map(drop);
    assert!(
        matches!(&refused, Err(ClaimError::Overlap { by, .. }) if by.pid == Some(child.pid())),
        "a stopped holder was robbed: {refused:?}"
    );
    drop([a.claim_mut(..1).expect("not stopped"), a.claim_mut(3..).expect("not stopped")]);
    release(&stage);
    child.resume();
    let sum = a.write().expect("it ended well").sum();
    assert_eq!(sum, 4 * u64::from(child.pid()));
    child.succeed(LIMIT);
}

/// The table's lock is held for a moment only, so nothing but a stop inside it is felt: then a
/// time-out still is one, and who does not want to wait is told so.
pub(crate) fn a_holder_of_the_tables_lock_is_waited_for_no_longer_than_asked() {
    let (name, stage) = (Name::new("stopped-in"), SharedMemory::create(4096));
    let options = SharedArray2::<u64>::options().name(&*name);
    let a = options.zeros((ROWS, COLUMNS)).expect("room");
    let file = File::open(name.file()).expect("it is there");
    let mut rng = Rng::of_this_run();
    let role = Role::new("victim::hammer").shared(stage.file());
    let mut hammer = role.arg(&*name).arg(rng.next()).arg(0).spawn();
    until("it hammers", LIMIT, || stage.word(0).load(std::sync::atomic::Ordering::SeqCst) > 100);
    let mut hits = 0;
    while hits < 1 {
        rng.pause(Duration::from_micros(300));
        hammer.stop();
        if table_lock(&file) >> 31 & 1 == 1 {
            hits += 1;
            let start = Instant::now();
            let busy = |result: Result<(), ClaimError<()>>| match result {
                Err(e) => {
                    assert!(matches!(e, ClaimError::Busy { .. }), "{e}");
                    one_line(&e, &["table of claims", &format!("pid {}", hammer.pid())]);
                }
                Ok(()) => panic!("its lock was taken from the living"),
            };
            let soon = Duration::from_millis(30);
            busy(a.read_timeout(soon).map(drop).map_err(ClaimError::without_guard));
            busy(a.claim_mut_timeout(VICTIMS.., soon).map(drop).map_err(|e| e.without_guard()));
            busy(a.claim_mut(VICTIMS..).map(drop).map_err(|e| e.without_guard()));
            busy(a.claim(..1).map(drop).map_err(ClaimError::without_guard));
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
            std::thread::scope(|s| {
                let waits = s.spawn(|| a.claim_timeout(VICTIMS.., LIMIT).map(drop).is_ok());
                std::thread::sleep(soon);
                assert!(!waits.is_finished());
                hammer.resume();
                assert!(waits.join().expect("no panic"), "it goes on when the holder does");
            });
        } else {
            drop(a.claim_mut(VICTIMS..).expect("its rows are others"));
            hammer.resume();
        }
    }
}
