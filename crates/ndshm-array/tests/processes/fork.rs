//! A forked child: nothing of its parent's is its own, and it may open everything anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_array::{ClaimError, SharedArray1, SharedMutex};
use ndshm_sync::LockError;
use ndshm_testkit::{Role, SharedMemory, arguments, until};

use crate::common::{Name, one_line, only};

const LIMIT: Duration = Duration::from_secs(30);

/// Forks, has the child end well if `child` does not panic, and waits for that.
fn fork(child: impl FnOnce()) {
    // SAFETY: what the child does with this crate is what is tested here; the C library's allocator
    // sees to itself in a fork.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        let ended = catch_unwind(AssertUnwindSafe(child));
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(ended.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` is what the kernel writes.
    let r = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((r, status), (pid, 0), "the forked child failed");
}

/// Has arrays and claims, and forks.
pub(crate) fn forker() {
    let stage = SharedMemory::inherited();
    let name = &*arguments()[0];
    let me = std::process::id();
    let mut named = Some(SharedArray1::<u64>::options().name(name).zeros(20).expect("room"));
    let anonymous = SharedArray1::<u64>::from_elem(8, 3).expect("room");
    let value = SharedMutex::new(7_u64).expect("room");
    let array = named.clone().expect("there");
    let mut guards = vec![array.claim_mut(2..5).expect("free")];
    let mut reading = Some(array.claim(10..12).expect("free"));
    let mut locked = Some(value.lock().expect("free"));

    fork(|| {
        let refused = [
            array.claim_mut(15..).map(drop).map_err(ClaimError::without_guard),
            array.claim_mut_timeout(15.., LIMIT).map(drop).map_err(ClaimError::without_guard),
            array.write().map(drop).map_err(ClaimError::without_guard),
            array.read().map(drop).map_err(ClaimError::without_guard),
            array.claim_timeout(.., LIMIT).map(drop).map_err(ClaimError::without_guard),
            anonymous.read().map(drop).map_err(ClaimError::without_guard),
            guards[0].clear_poison().map(drop),
        ];
        for result in refused {
            let Err(ClaimError::Forked) = &result else { panic!("{result:?}") };
            one_line(&result.unwrap_err(), &["forked", "open it anew"]);
        }
        assert!(matches!(value.try_lock(), Err(LockError::Forked)));
        // It drops its copies of what the parent has, the creator's array included.
        guards.clear();
        drop((reading.take(), locked.take()));
        drop(named.take());
        let creator = std::path::Path::new("/dev/shm").join(format!("ndshm.{name}"));
        assert!(creator.exists(), "the child removed its parent's name");

        // Anew, by name and by handle, beside what it inherited; it is another process then.
        // SAFETY: all who have the name are these tests, which use claims.
        let anew = unsafe { SharedArray1::<u64>::open(name) }.expect("it is there");
        let by = |result: Result<(), ClaimError<()>>| match result {
            Err(ClaimError::Overlap { by, held, .. }) => (by.pid, held.row_range()),
            other => panic!("the parent holds it: {other:?}"),
        };
        let without = |e: ClaimError<_>| ClaimError::without_guard(e);
        assert_eq!(by(anew.claim_mut(4..6).map(drop).map_err(without)), (Some(me), 2..5));
        assert_eq!(by(anew.claim_mut(11..).map(drop).map_err(without)), (Some(me), 10..12));
        anew.claim_mut(15..).expect("free").fill(9);
        drop(anew.claim(8..12).expect("readers share"));
        assert!(matches!(array.read(), Err(ClaimError::Forked)), "what it inherited stays so");
        // SAFETY: as above.
        let handed = unsafe { anonymous.handle().open() }.expect("this process maps it");
        assert_eq!(handed.read().expect("nobody writes").sum(), 24);
        handed.write().expect("nobody else").fill(4);

        // Dies with a claim.
        std::mem::forget(anew.claim_mut(6..8).expect("free"));
        stage.word(16).store(u64::from(std::process::id()), SeqCst);
    });

    // The parent has all that it had.
    assert!(named.is_some() && locked.is_some() && reading.is_some());
    guards[0].fill(5);
    drop(array.claim_mut(0..2).expect("free"));
    assert!(matches!(array.claim(4..5), Err(ClaimError::Own { .. })));
    assert_eq!(array.claim(15..).expect("free").sum(), 5 * 9);
    assert_eq!(anonymous.read().expect("free").sum(), 8 * 4);
    let child = u32::try_from(stage.word(16).load(SeqCst)).expect("a pid");
    match array.claim(6..7) {
        Err(ClaimError::Poisoned(p)) => {
            assert_eq!((only(&p).member.pid, only(&p).row_range()), (Some(child), 6..8));
        }
        other => panic!("{other:?}"),
    }
    stage.word(0).store(1, SeqCst);
    until("the test has looked", LIMIT, || stage.word(8).load(SeqCst) == 1);
}

pub(crate) fn a_forked_child_has_nothing_of_its_parents() {
    let (name, stage) = (Name::new("fork"), SharedMemory::create(4096));
    let mut forker = Role::new("fork::forker").shared(stage.file()).arg(&*name).spawn();
    until("its child has come and gone", LIMIT, || {
        assert!(forker.is_running(), "the forker failed");
        stage.word(0).load(SeqCst) == 1
    });
    // SAFETY: all who have the name are these tests, which use claims.
    let a = unsafe { SharedArray1::<u64>::open(&name) }.expect("the name is there");
    let held = |rows: std::ops::Range<usize>, theirs: std::ops::Range<usize>| match a
        .claim_mut(rows.clone())
    {
        Err(ClaimError::Overlap { by, held, .. }) => {
            assert_eq!((by.pid, held.row_range()), (Some(forker.pid()), theirs));
        }
        other => panic!("a child released {rows:?} of its parent's: {other:?}"),
    };
    held(2..3, 2..5);
    held(10..20, 10..12);
    assert_eq!(a.claim(15..).expect("the child's are released").sum(), 45);
    stage.word(8).store(1, SeqCst);
    forker.succeed(LIMIT);
    drop(a.claim_mut(..6).expect("it let go as it ended"));
}

/// Forks while its other threads open and drop arrays; each child opens one anew.
pub(crate) fn threaded_forker() {
    let name = arguments()[0].clone();
    let a = SharedArray1::<u64>::options().name(&*name).zeros(8).expect("room");
    for _ in 0..3 {
        std::thread::spawn(|| {
            loop {
                drop(SharedArray1::<u64>::zeros(8).expect("room"));
            }
        });
    }
    for round in 1..=40 {
        fork(|| {
            assert!(matches!(a.read().map(drop), Err(ClaimError::Forked)));
            // SAFETY: only this test has the name, and uses claims.
            let anew = unsafe { SharedArray1::<u64>::open(&name) }.expect("the name is there");
            anew.write().expect("free").fill(round);
        });
        assert_eq!(a.read().expect("free").sum(), 8 * round);
    }
}

pub(crate) fn a_child_of_a_threaded_process_opens_anew() {
    let name = Name::new("threads");
    let mut forker = Role::new("fork::threaded_forker").arg(&*name).spawn();
    forker.succeed(LIMIT);
}
