//! A pool: the same processes run after run, whatever became of the last.

mod common;

use std::time::{Duration, Instant};

use common::{eventually, exists, kill, watchdog};
use ndshm_array::{SharedArray1, SharedArray2};
use ndshm_buffer::SharedBuffer;
use ndshm_workers::{Cause, Event, RunError, StartError, Worker, Workers};

ndshm_workers::test_support!();

type Outcome<T> = Result<T, String>;

fn pid(_: &Worker, (): ()) -> Outcome<u32> {
    Ok(std::process::id())
}

fn meet(worker: &Worker, times: usize) -> ndshm_workers::Result<usize> {
    for _ in 0..times {
        worker.barrier()?;
    }
    Ok(worker.rank())
}

fn add(worker: &Worker, (a, x): (SharedArray2<f64>, f64)) -> ndshm_workers::Result<f64> {
    *a.claim_mut(worker.band(a.nrows()))? += x;
    worker.barrier()?;
    Ok(a.read()?.sum())
}

#[test]
fn runs_of_any_type_are_served_by_the_same_processes() {
    let _watchdog = watchdog("same processes", 60);
    let mut pool = Workers::new(3).pool().unwrap();
    let pids = pool.run(pid, &()).unwrap();
    assert_eq!(pids, pool.pids());
    for round in 0..20 {
        // Made after the processes, one for each round.
        let a = SharedArray2::<f64>::zeros((7, 3)).unwrap();
        let x = f64::from(round);
        assert_eq!(pool.run(add, &(a.clone(), x)).unwrap(), [21.0 * x; 3]);
        assert_eq!(pool.run(meet, &5).unwrap(), [0, 1, 2]);
        let long = vec![round as u8; 100_000];
        assert_eq!(pool.run(|_, b: Vec<u8>| Outcome::Ok(b.len()), &long).unwrap(), [100_000; 3]);
        assert_eq!(pool.run(pid, &()).unwrap(), pids);
    }
}

#[test]
fn hundreds_of_segments_travel_in_one_run() {
    let _watchdog = watchdog("many segments", 60);
    let touch = |worker: &Worker, buffers: Vec<SharedBuffer>| {
        for (i, buffer) in buffers.iter().enumerate() {
            let byte = [(i % 251) as u8];
            buffer.write_at(worker.rank(), &byte).map_err(|e| e.to_string())?;
        }
        Outcome::Ok(buffers.len())
    };
    let mut pool = Workers::new(2).pool().unwrap();
    let buffers: Vec<_> = (0..300).map(|_| SharedBuffer::anonymous(64).unwrap()).collect();
    assert_eq!(pool.run(touch, &buffers).unwrap(), [300, 300]);
    for (i, buffer) in buffers.iter().enumerate() {
        let mut bytes = [0; 2];
        buffer.read_at(0, &mut bytes).unwrap();
        assert_eq!(bytes, [(i % 251) as u8; 2]);
    }
}

fn fail(worker: &Worker, how: u8) -> ndshm_workers::Result<()> {
    if worker.rank() == 1 {
        match how {
            0 => return Err("no luck".into()),
            1 => panic!("no luck"),
            2 => std::process::exit(3),
            _ => kill(std::process::id(), libc::SIGKILL),
        }
    }
    worker.barrier().map(drop).map_err(Into::into)
}

#[test]
fn after_any_failure_the_next_run_is_whole() {
    let _watchdog = watchdog("after failures", 120);
    let mut pool = Workers::new(3).pool().unwrap();
    let causes = [
        |c: &Cause| *c == Cause::Returned("no luck".into()),
        |c: &Cause| matches!(c, Cause::Panicked(text) if text.starts_with("no luck, at ")),
        |c: &Cause| *c == Cause::Exited(3),
        |c: &Cause| *c == Cause::Killed { signal: libc::SIGKILL, core_dumped: false },
    ];
    for _ in 0..5 {
        for (how, is_it) in causes.iter().enumerate() {
            let before = pool.pids();
            let start = Instant::now();
            let error = pool.run(fail, &(how as u8)).unwrap_err();
            assert!(start.elapsed() < Duration::from_secs(5));
            assert!(is_it(&error.failures()[1].cause), "{error}");
            for rank in [0, 2] {
                let Cause::Returned(text) = &error.failures()[rank].cause else {
                    panic!("{error}")
                };
                assert!(text.contains("broken") && text.contains("rank 1"), "{text}");
            }
            assert_eq!(pool.run(meet, &3).unwrap(), [0, 1, 2], "after {how}");
            let after = pool.pids();
            assert_eq!(after[1] == before[1], how == 0, "an error replaces nobody, a death does");
            assert_eq!((after[0], after[2]), (before[0], before[2]));
        }
    }
}

#[test]
fn whoever_returns_early_breaks_that_run_alone() {
    let _watchdog = watchdog("early", 60);
    let mut pool = Workers::new(2).pool().unwrap();
    let early = |worker: &Worker, ()| -> ndshm_workers::Result<()> {
        if worker.rank() == 0 {
            worker.barrier()?;
        }
        Ok(())
    };
    let timed = |worker: &Worker, ()| -> ndshm_workers::Result<()> {
        if worker.rank() == 0 {
            worker.barrier_timeout(Duration::from_millis(20))?;
        } else {
            std::thread::sleep(Duration::from_secs(1)); // longer than the other takes to come
        }
        Ok(())
    };
    for _ in 0..3 {
        assert!(pool.run(early, &()).unwrap_err().to_string().contains("rank 1"));
        assert_eq!(pool.run(meet, &2).unwrap(), [0, 1]);
        assert!(pool.run(timed, &()).unwrap_err().to_string().contains("timed out"));
        assert_eq!(pool.run(meet, &2).unwrap(), [0, 1]);
    }
}

#[test]
fn one_that_dies_between_runs_is_replaced() {
    let _watchdog = watchdog("between", 60);
    let mut pool = Workers::new(2).pool().unwrap();
    pool.run(meet, &1).unwrap();
    let before = pool.pids();
    kill(before[0], libc::SIGKILL);
    let stat = format!("/proc/{}/stat", before[0]);
    eventually("its end", Duration::from_secs(5), || {
        std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "))
    });
    assert_eq!(pool.run(meet, &4).unwrap(), [0, 1]);
    let after = pool.pids();
    assert!(after[0] != before[0] && after[1] == before[1]);
}

#[test]
fn claims_of_a_dead_worker_are_told_to_its_successor() {
    let _watchdog = watchdog("claims", 60);
    let leave = |worker: &Worker, a: SharedArray1<f64>| -> ndshm_workers::Result<()> {
        if worker.rank() == 1 {
            let _rows = a.claim_mut(2..4)?;
            kill(std::process::id(), libc::SIGKILL);
        }
        Ok(())
    };
    let look = |worker: &Worker, a: SharedArray1<f64>| -> ndshm_workers::Result<bool> {
        Ok(worker.rank() == 1 && a.claim_mut(0..3).is_err_and(|e| e.to_string().contains("rank 1")))
    };
    let mut pool = Workers::new(2).pool().unwrap();
    let a = SharedArray1::<f64>::zeros(8).unwrap();
    assert!(pool.run(leave, &a).is_err());
    assert_eq!(pool.run(look, &a).unwrap(), [false, true]);
}

#[test]
fn a_callback_that_panics_ends_the_run_and_not_the_pool() {
    let _watchdog = watchdog("callback", 60);
    let calls = std::cell::Cell::new(0);
    let workers = Workers::new(2).on_event(|event| {
        if matches!(event, Event::Started { .. }) {
            calls.set(calls.get() + 1);
            assert!(calls.get() != 2, "enough");
        }
    });
    let mut pool = workers.pool().unwrap();
    let before = pool.pids();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pool.run(
            |_, ()| {
                std::thread::sleep(Duration::from_secs(600));
                Outcome::Ok(())
            },
            &(),
        )
    }));
    assert!(caught.is_err());
    assert!(before.iter().all(|&pid| !exists(pid)));
    assert_eq!(pool.run(meet, &1).unwrap(), [0, 1]);
}

#[test]
fn what_cannot_be_run_harms_nobody() {
    let _watchdog = watchdog("refused", 60);
    assert!(matches!(Workers::new(0).pool(), Err(StartError::Size { size: 0, .. })));
    let mut pool = Workers::new(2).pool().unwrap();
    let a = SharedArray1::<f64>::zeros(8).unwrap();
    let guard = a.write().unwrap();
    let error = pool.run(|_, _: SharedArray1<f64>| Outcome::Ok(()), &a).unwrap_err();
    assert!(matches!(error, RunError::Start(StartError::Arguments(_))), "{error}");
    drop(guard);
    assert_eq!(pool.run(meet, &1).unwrap(), [0, 1]);
}

#[test]
fn a_dropped_pool_leaves_nobody_and_takes_no_time() {
    let _watchdog = watchdog("dropped", 60);
    // It has been used, and it has not.
    for used in [false, true] {
        let mut pool = Workers::new(3).pool().unwrap();
        if used {
            pool.run(meet, &1).unwrap();
        }
        let pids = pool.pids();
        let start = Instant::now();
        drop(pool);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(pids.iter().all(|&pid| !exists(pid)));
    }
}

#[test]
fn one_that_does_not_end_is_killed_when_the_pool_is_dropped() {
    let _watchdog = watchdog("stuck", 60);
    extern "C" fn at_exit() {
        std::thread::sleep(Duration::from_secs(600));
    }
    let stick = |_: &Worker, ()| {
        // SAFETY: the function has the signature that atexit calls, and lives for ever.
        assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
        Outcome::Ok(())
    };
    let mut pool = Workers::new(2).pool().unwrap();
    pool.run(stick, &()).unwrap();
    let (pids, start) = (pool.pids(), Instant::now());
    drop(pool);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(pids.iter().all(|&pid| !exists(pid)));
}
