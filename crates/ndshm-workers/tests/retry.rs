//! A dead worker's function is run again by another process of its rank.

mod common;

use common::{kill, watchdog};
use ndshm_array::SharedArray1;
use ndshm_workers::{Cause, Event, Worker, Workers};

ndshm_workers::test_support!();

/// Every worker fills its band; rank 1 dies half-way in its first attempts.
fn fill(worker: &Worker, (a, deaths): (SharedArray1<f64>, usize)) -> ndshm_workers::Result<usize> {
    let band = worker.band(a.len());
    let mut mine = match a.claim_mut(band) {
        Ok(mine) => mine,
        Err(ndshm_array::ClaimError::Poisoned(poisoned)) => {
            assert!(worker.attempt() > 0, "only the dead poison");
            let mut mine = poisoned.into_inner();
            assert!(mine.clear_poison()?);
            mine
        }
        Err(e) => return Err(e.into()),
    };
    for (i, x) in mine.iter_mut().enumerate() {
        if worker.rank() == 1 && worker.attempt() < deaths && i == 3 {
            kill(std::process::id(), libc::SIGKILL);
        }
        *x = worker.rank() as f64 + 1.0;
    }
    Ok(worker.attempt())
}

#[test]
fn the_band_of_the_dead_is_done_by_another() {
    let _watchdog = watchdog("again", 60);
    for deaths in 1..=3 {
        let a = SharedArray1::<f64>::zeros(30).unwrap();
        let mut retried = Vec::new();
        let workers = Workers::new(3).retry(3).on_event(|event| match event {
            Event::Retried { failure, attempt } => retried.push((failure, attempt)),
            Event::Failed(failure) => panic!("{failure}"),
            _ => {}
        });
        assert_eq!(workers.run(fill, &(a.clone(), deaths)).unwrap(), [0, deaths, 0]);
        drop(workers);
        assert_eq!(a.read().unwrap().sum(), 60.0);
        assert_eq!(
            retried.iter().map(|r| r.1).collect::<Vec<_>>(),
            (1..=deaths).collect::<Vec<_>>()
        );
        let killed = Cause::Killed { signal: libc::SIGKILL, core_dumped: false };
        assert!(retried.iter().all(|(f, _)| f.rank == 1 && f.cause == killed));
        let mut pids: Vec<_> = retried.iter().map(|(f, _)| f.pid).collect();
        pids.dedup();
        assert_eq!(pids.len(), deaths);
    }
}

#[test]
fn one_death_too_many_is_a_failure() {
    let _watchdog = watchdog("too many", 60);
    let a = SharedArray1::<f64>::zeros(30).unwrap();
    let mut pool = Workers::new(3).retry(1).pool().unwrap();
    for _ in 0..2 {
        let error = pool.run(fill, &(a.clone(), 2)).unwrap_err();
        let [failure] = error.failures() else { panic!("{error}") };
        assert_eq!(failure.rank, 1);
        // What it left is mended by hand here, and each run has its retries anew.
        match a.write() {
            Err(ndshm_array::ClaimError::Poisoned(poisoned)) => {
                assert!(poisoned.into_inner().clear_poison().unwrap());
            }
            other => panic!("{:?}", other.err()),
        }
        assert_eq!(pool.run(fill, &(a.clone(), 1)).unwrap(), [0, 1, 0]);
    }
}

#[test]
fn errors_are_answers() {
    let _watchdog = watchdog("answers", 60);
    let refuse = |worker: &Worker, ()| -> Result<(), String> {
        Err(format!("attempt {}", worker.attempt()))
    };
    let error = Workers::new(1).retry(5).run(refuse, &()).unwrap_err();
    assert_eq!(error.failures()[0].cause, Cause::Returned("attempt 0".into()));
}

/// Rank 1 dies once, before or after the first meeting.
fn meet_twice(worker: &Worker, after: bool) -> Result<usize, String> {
    let mut broken = 0;
    for meeting in 0..2 {
        if worker.rank() == 1 && worker.attempt() == 0 && (meeting == 1) == after {
            kill(std::process::id(), libc::SIGKILL);
        }
        match worker.barrier() {
            Ok(_) => {}
            Err(e) if e.to_string().contains("rank 1") && e.to_string().contains("died") => {
                broken += 1;
            }
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(broken)
}

#[test]
fn a_death_breaks_the_barrier_for_the_rest_of_the_run() {
    let _watchdog = watchdog("barrier", 60);
    let mut pool = Workers::new(3).retry(1).pool().unwrap();
    for _ in 0..5 {
        // Whoever has met the dead one before it died is told in the second meeting.
        assert_eq!(pool.run(meet_twice, &true).unwrap(), [1, 2, 1]);
        assert_eq!(pool.run(meet_twice, &false).unwrap(), [2, 2, 2]);
        let whole = |worker: &Worker, ()| worker.barrier().map(drop).map_err(|e| e.to_string());
        pool.run(whole, &()).unwrap();
    }
}
