//! Processes exclude each other, and are told who it was.

use std::thread;
use std::time::{Duration, Instant};

use ndshm_array::{ClaimError, SharedArray2};
use ndshm_testkit::{Child, Role, SharedMemory, arguments, until};

use crate::common::{Name, one_line};

const LIMIT: Duration = Duration::from_secs(30);

/// Parses `3..7`.
fn rows(text: &str) -> std::ops::Range<usize> {
    let (start, end) = text.split_once("..").expect("a range");
    start.parse().expect("a row")..end.parse().expect("a row")
}

/// Claims what it is told to, `w3..7` or `r3..7`, until it is told to let go.
pub(crate) fn holder() {
    let stage = SharedMemory::inherited();
    let arguments = arguments();
    ndshm_array::set_rank(arguments[1].parse().expect("a rank"));
    // SAFETY: all who have the name are these tests, which use claims.
    let a = unsafe { SharedArray2::<u64>::open(&arguments[0]) }.expect("it is there");
    let (mut writing, mut reading) = (Vec::new(), Vec::new());
    for claim in &arguments[2..] {
        if let Some(claim) = claim.strip_prefix('w') {
            writing.push(a.claim_mut(rows(claim)).expect("free rows"));
        } else {
            reading.push(a.claim(rows(&claim[1..])).expect("rows that nobody writes"));
        }
    }
    for guard in &mut writing {
        guard.fill(u64::from(std::process::id()));
    }
    stage.word(0).fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    until("it is told to end", LIMIT, || {
        stage.word(8).load(std::sync::atomic::Ordering::SeqCst) != 0
    });
}

pub(crate) fn spawn(stage: &SharedMemory, name: &str, rank: u32, claims: &[&str]) -> Child {
    let role = Role::new("claims::holder").shared(stage.file()).arg(name).arg(rank);
    claims.iter().fold(role, |role, claim| role.arg(claim)).spawn()
}

pub(crate) fn held(stage: &SharedMemory, n: u64) {
    until("claims are held", LIMIT, || {
        stage.word(0).load(std::sync::atomic::Ordering::SeqCst) == n
    });
}

pub(crate) fn release(stage: &SharedMemory) {
    stage.word(8).store(1, std::sync::atomic::Ordering::SeqCst);
}

pub(crate) fn processes_exclude_each_other() {
    let (name, stage) = (Name::new("exclude"), SharedMemory::create(4096));
    let a = SharedArray2::<u64>::options().name(&*name).zeros((20, 3)).expect("room");
    // Three at once, disjoint or only reading, and this process with rows of its own.
    let mut one = spawn(&stage, &name, 4, &["w0..5", "w10..12", "r17..19"]);
    held(&stage, 1);
    let mut two = spawn(&stage, &name, 7, &["w5..10", "r16..20"]);
    held(&stage, 2);
    let mut mine = a.claim_mut(12..16).expect("free");
    mine.fill(1);

    for (row, child, rank, theirs, reading) in [
        (0, &one, 4, 0..5, false),
        (4, &one, 4, 0..5, false),
        (5, &two, 7, 5..10, false),
        (9, &two, 7, 5..10, false),
        (10, &one, 4, 10..12, false),
        (11, &one, 4, 10..12, false),
        (16, &two, 7, 16..20, true),
        (19, &two, 7, 16..20, true),
    ] {
        match a.claim_mut(row..=row) {
            Err(e @ ClaimError::Overlap { .. }) => {
                let pid = child.pid().to_string();
                let rows = format!("has rows {theirs:?}");
                one_line(&e, &[&format!("rows {row}..{}", row + 1), &pid, &rows, "rank"]);
                let ClaimError::Overlap { part, held, by, .. } = e else { unreachable!() };
                assert_eq!((part.row_range(), held.row_range()), (row..row + 1, theirs));
                assert_eq!((by.pid, by.rank), (Some(child.pid()), Some(rank)));
            }
            other => panic!("row {row}: {other:?}"),
        }
        let read = a.claim(row..=row).map(drop);
        assert_eq!(read.is_ok(), reading, "row {row}: {read:?}");
    }
    assert!(matches!(a.claim_mut(17..18), Err(ClaimError::Overlap { .. })));
    assert!(matches!(a.claim(12..13), Err(ClaimError::Own { .. })));
    drop(mine);
    let start = Instant::now();
    let soon = Duration::from_millis(120);
    assert!(matches!(a.read_timeout(soon), Err(ClaimError::Overlap { .. })));
    assert!(start.elapsed() >= soon);
    thread::scope(|s| {
        let all = s.spawn(|| a.write().map(|guard| guard.sum()).map_err(|e| e.to_string()));
        let some = s.spawn(|| a.claim_timeout(3..6, LIMIT).map(|g| g[[2, 0]]).ok());
        thread::sleep(Duration::from_millis(50));
        assert!(!all.is_finished() && !some.is_finished(), "waits end while others hold");
        release(&stage);
        let (first, second) = (u64::from(one.pid()), u64::from(two.pid()));
        assert_eq!(some.join().expect("no panic"), Some(second));
        let sum = 3 * (7 * first + 5 * second + 4);
        assert_eq!(all.join().expect("no panic"), Ok(sum), "what they wrote is seen");
    });
    one.succeed(LIMIT);
    two.succeed(LIMIT);
}
