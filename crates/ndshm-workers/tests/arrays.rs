//! Arrays and mutexes among the arguments.

mod common;

use common::{kill, watchdog};
use ndshm_array::{ClaimError, SharedArray2, SharedMutex};
use ndshm_workers::{Cause, RunError, StartError, Worker, Workers};

ndshm_workers::test_support!();

type Args = (SharedArray2<f64>, SharedMutex<u64>);

fn fill_and_sum(worker: &Worker, (m, total): Args) -> ndshm_workers::Result<f64> {
    let mut band = m.claim_mut(worker.band(m.nrows()))?;
    band.fill_with_index(|(i, j)| (i + j) as f64);
    drop(band);
    worker.barrier()?;
    *total.lock()? += 1;
    Ok(m.read()?.sum())
}

#[test]
fn all_fill_one_matrix_and_see_all_of_it() {
    let _watchdog = watchdog("matrix", 60);
    for workers in [1, 3, 4] {
        let m = SharedArray2::<f64>::zeros((50, 40)).unwrap();
        let total = SharedMutex::new(0_u64).unwrap();
        let sums = Workers::new(workers).run(fill_and_sum, &(m.clone(), total.clone())).unwrap();
        let expected: f64 = (0..50).flat_map(|i| (0..40).map(move |j| f64::from(i + j))).sum();
        assert!(sums.iter().all(|sum| *sum == expected), "{sums:?}");
        assert_eq!(*total.lock().unwrap(), workers as u64);
        assert_eq!(m.read().unwrap()[[49, 39]], 88.0);
    }
}

fn leave_rows(worker: &Worker, (m, how): (SharedArray2<f64>, u8)) -> ndshm_workers::Result<()> {
    if worker.rank() == 1 {
        let mut rows = m.claim_mut(2..4)?;
        rows.fill(7.0);
        match how {
            0 => kill(std::process::id(), libc::SIGKILL),
            1 => panic!("with rows claimed"),
            _ => std::mem::forget(rows),
        }
    }
    Ok(())
}

#[test]
fn whoever_ends_with_rows_claimed_is_named_to_the_next() {
    let _watchdog = watchdog("poison", 60);
    for how in 0..3 {
        let m = SharedArray2::<f64>::zeros((8, 2)).unwrap();
        let run = Workers::new(2).run(leave_rows, &(m.clone(), how));
        assert_eq!(run.is_ok(), how == 2);
        match m.write() {
            Err(ClaimError::Poisoned(poisoned)) => {
                assert_eq!(poisoned.parts()[0].row_range(), 2..4);
                assert_eq!(poisoned.parts()[0].member.rank, Some(1));
            }
            other => panic!("{:?}", other.err()),
        }
        let others = m.claim_mut(4..8);
        assert!(others.is_ok(), "the other rows are as they were");
    }
}

#[test]
fn a_claim_held_by_the_caller_is_refused_before_anything_starts() {
    let _watchdog = watchdog("claimed", 60);
    let m = SharedArray2::<f64>::zeros((8, 2)).unwrap();
    let guard = m.write().unwrap();
    let error = Workers::new(2).run(leave_rows, &(m.clone(), 2)).unwrap_err();
    assert!(matches!(error, RunError::Start(StartError::Arguments(_))), "{error}");
    assert!(error.to_string().contains("claim"), "{error}");
    drop(guard);
}

#[test]
fn overlapping_claims_are_refused_across_workers() {
    let _watchdog = watchdog("overlap", 60);
    let m = SharedArray2::<f64>::zeros((8, 2)).unwrap();
    let both = |worker: &Worker, m: SharedArray2<f64>| -> ndshm_workers::Result<()> {
        let mine = if worker.rank() == 0 { Some(m.claim_mut(0..5)?) } else { None };
        worker.barrier()?;
        let theirs = if worker.rank() == 1 { Some(m.claim_mut(4..8)?) } else { None };
        worker.barrier()?;
        drop((mine, theirs));
        Ok(())
    };
    let error = Workers::new(2).run(both, &m).unwrap_err();
    let Cause::Returned(text) = &error.failures()[1].cause else { panic!("{error}") };
    assert!(text.contains("rank 0") && text.contains("4..8"), "{text}");
}

#[test]
fn one_mutex_passed_twice_is_one_mutex() {
    let _watchdog = watchdog("mutex twice", 60);
    let total = SharedMutex::new(0_u64).unwrap();
    let add =
        |_: &Worker, (a, b): (SharedMutex<u64>, SharedMutex<u64>)| -> ndshm_workers::Result<()> {
            for _ in 0..1000 {
                *a.lock()? += 1;
                *b.lock()? += 1;
            }
            Ok(())
        };
    Workers::new(2).run(add, &(total.clone(), total.clone())).unwrap();
    assert_eq!(*total.lock().unwrap(), 4000);
}
