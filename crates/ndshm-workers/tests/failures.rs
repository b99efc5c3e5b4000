//! Every way in which a worker can fail is told, and nobody waits for it in vain.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{kill, watchdog};
use ndshm_buffer::passing;
use ndshm_workers::{Cause, Event, Failure, RunError, Worker, Workers};
use serde::{Deserialize, Serialize};

ndshm_workers::test_support!();

type Outcome<T> = Result<T, String>;

/// The failures and results of a run of `size` that is to fail.
fn failed<R>(result: Result<Vec<R>, RunError<R>>) -> (Vec<Failure>, Vec<Option<R>>) {
    match result {
        Err(RunError::Failed { failures, results }) => (failures, results),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it did not fail"),
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum End {
    Panic,
    Error,
    Exit(i32),
    Kill(i32),
}

/// Rank 1 ends in that way; the others return, or wait at the barrier.
fn rank_one_ends(worker: &Worker, (end, wait): (End, bool)) -> Outcome<usize> {
    if worker.rank() == 1 {
        match end {
            End::Panic => panic!("no {} left\nat all", "luck"),
            End::Error => return Err("no luck".into()),
            End::Exit(status) => std::process::exit(status),
            End::Kill(signal) => {
                kill(std::process::id(), signal);
                std::thread::sleep(Duration::from_secs(600));
            }
        }
    }
    if wait {
        worker.barrier().map_err(|e| e.to_string())?;
    }
    Ok(worker.rank() * 10)
}

#[test]
fn each_end_is_reported_by_rank_and_cause_and_the_other_results_are_kept() {
    let _watchdog = watchdog("ends", 120);
    let killed = |signal| Cause::Killed { signal, core_dumped: false };
    let ends = [
        (End::Error, Cause::Returned("no luck".into())),
        (End::Exit(3), Cause::Exited(3)),
        (End::Exit(0), Cause::Exited(0)),
        (End::Kill(libc::SIGKILL), killed(libc::SIGKILL)),
        (End::Kill(libc::SIGTERM), killed(libc::SIGTERM)),
    ];
    for (end, cause) in ends {
        let (failures, results) = failed(Workers::new(3).run(rank_one_ends, &(end, false)));
        assert_eq!(results, [Some(0), None, Some(20)], "{end:?}");
        let [failure] = &failures[..] else { panic!("{failures:?}") };
        assert_eq!((failure.rank, &failure.cause), (1, &cause));
        assert!(failure.pid > 1);
    }
}

#[test]
fn a_panic_is_reported_with_its_text_and_location() {
    let _watchdog = watchdog("panic", 60);
    let (failures, results) = failed(Workers::new(2).run(rank_one_ends, &(End::Panic, false)));
    assert_eq!(results, [Some(0), None]);
    let Cause::Panicked(text) = &failures[0].cause else { panic!("{failures:?}") };
    assert!(text.starts_with("no luck left\nat all, at "), "{text}");
    assert!(text.contains("failures.rs:"), "{text}");
    let line = failures[0].to_string();
    assert!(line.contains("panicked: no luck left; at all, at "), "{line}");
}

#[test]
fn whoever_waits_at_the_barrier_is_released_and_told_who_is_missing() {
    let _watchdog = watchdog("released", 120);
    let ends = [
        (End::Panic, "rank 1", "failed"),
        (End::Error, "rank 1", "failed"),
        (End::Exit(0), "rank 1", "died"),
        (End::Kill(libc::SIGKILL), "rank 1", "died"),
    ];
    for (end, who, how) in ends {
        let start = Instant::now();
        let (failures, results) = failed(Workers::new(3).run(rank_one_ends, &(end, true)));
        assert!(start.elapsed() < Duration::from_secs(5), "{end:?}: {:?}", start.elapsed());
        assert_eq!(results, [None, None, None]);
        assert_eq!(failures.len(), 3);
        for rank in [0, 2] {
            let Cause::Returned(text) = &failures[rank].cause else { panic!("{failures:?}") };
            assert!(text.contains("broken") && text.contains(who), "{text}");
            assert!(text.contains(how), "{end:?}: {text}");
            assert!(text.contains(&failures[1].pid.to_string()), "{text}");
        }
    }
}

#[test]
fn returning_early_breaks_the_barrier_for_those_who_wait() {
    let _watchdog = watchdog("early", 60);
    let run = Workers::new(3).run(
        |worker, ()| -> ndshm_workers::Result<usize> {
            if worker.rank() != 2 {
                worker.barrier()?;
            }
            Ok(worker.rank())
        },
        &(),
    );
    let (failures, results) = failed(run);
    assert_eq!(results, [None, None, Some(2)]);
    for failure in &failures {
        assert!(failure.to_string().contains("rank 2"), "{failure}");
        assert!(failure.to_string().contains("left"), "{failure}");
    }
}

#[test]
fn returning_after_the_last_barrier_harms_nobody() {
    let _watchdog = watchdog("last barrier", 60);
    for _ in 0..10 {
        let run = Workers::new(4).run(
            |worker, ()| -> ndshm_workers::Result<()> {
                for _ in 0..3 {
                    worker.barrier()?;
                }
                Ok(())
            },
            &(),
        );
        run.unwrap();
    }
}

fn wait_for_ever(worker: &Worker, victim: usize) -> Outcome<()> {
    if worker.rank() == victim {
        std::thread::sleep(Duration::from_secs(600));
    }
    worker.barrier().map(drop).map_err(|e| e.to_string())
}

#[test]
fn a_worker_killed_by_the_parent_releases_the_others() {
    let _watchdog = watchdog("killed", 60);
    for victim in 0..3 {
        let mut started = 0;
        let mut pid_of_victim = 0;
        let start = Instant::now();
        let run = Workers::new(3)
            .on_event(|event| {
                if let Event::Started { rank, pid } = event {
                    started += 1;
                    pid_of_victim = if rank == victim { pid } else { pid_of_victim };
                    if started == 3 {
                        // Long enough for the others to sleep at the barrier.
                        std::thread::sleep(Duration::from_millis(200));
                        kill(pid_of_victim, libc::SIGKILL);
                    }
                }
            })
            .run(wait_for_ever, &victim);
        let (failures, _) = failed(run);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        for failure in failures {
            let text = failure.to_string();
            if failure.rank == victim {
                assert!(text.ends_with("was killed by SIGKILL"), "{text}");
            } else {
                assert!(text.contains(&format!("rank {victim}")), "{text}");
            }
        }
    }
}

#[test]
fn a_failure_is_told_within_a_second_while_others_compute() {
    let _watchdog = watchdog("within a second", 60);
    let times = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let run = Workers::new(2)
        .on_event({
            let times = Arc::clone(&times);
            move |event| {
                if matches!(event, Event::Failed(_)) {
                    times.lock().unwrap().push(start.elapsed());
                }
            }
        })
        .run(
            |worker, ()| {
                if worker.rank() == 0 {
                    kill(std::process::id(), libc::SIGKILL);
                }
                std::thread::sleep(Duration::from_secs(3));
                Outcome::Ok(())
            },
            &(),
        );
    let (failures, results) = failed(run);
    assert_eq!((failures.len(), results), (1, vec![None, Some(())]));
    let [time] = times.lock().unwrap()[..] else { panic!("{times:?}") };
    assert!(time < Duration::from_secs(2), "told after {time:?}");
}

#[test]
fn a_timed_wait_at_the_barrier_ends() {
    let _watchdog = watchdog("timed", 60);
    let run = Workers::new(2).run(
        |worker, ()| {
            if worker.rank() == 0 {
                std::thread::sleep(Duration::from_millis(600));
                return Ok(());
            }
            worker.barrier_timeout(Duration::from_millis(100)).map(drop)
        },
        &(),
    );
    let (failures, _) = failed(run);
    assert_eq!(failures.len(), 1);
    assert!(failures[0].to_string().contains("timed out"), "{}", failures[0]);
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(passing::explain("this stays here")))
    }
}

impl<'de> Deserialize<'de> for Unwritable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(passing::explain("nothing to read")))
    }
}

/// Can be written, and never read.
struct Unreadable;

impl Serialize for Unreadable {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(passing::explain("nothing to read")))
    }
}

#[test]
fn what_cannot_be_sent_or_read_is_told() {
    let _watchdog = watchdog("serde", 60);
    let (failures, _) = failed(Workers::new(1).run(|_, ()| Outcome::Ok(Unwritable), &()));
    assert_eq!(failures[0].cause, Cause::BadResult("this stays here".into()));
    let (failures, _) = failed(Workers::new(1).run(|_, ()| Outcome::Ok(Unreadable), &()));
    assert_eq!(failures[0].cause, Cause::BadResult("nothing to read".into()));
    let (failures, _) =
        failed(Workers::new(2).run(|_, _: Unreadable| Outcome::Ok(()), &Unreadable));
    assert_eq!(failures.len(), 2);
    let Cause::NeverStarted(text) = &failures[0].cause else { panic!("{failures:?}") };
    assert_eq!(text, "its arguments cannot be deserialised: nothing to read");
}

#[test]
fn a_crash_after_the_result_is_told_and_the_result_kept() {
    let _watchdog = watchdog("late crash", 60);
    extern "C" fn at_exit() {
        kill(std::process::id(), libc::SIGKILL);
    }
    let run = Workers::new(1).run(
        |_, ()| {
            // SAFETY: the function has the signature that atexit calls, and lives for ever.
            assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
            Outcome::Ok(7)
        },
        &(),
    );
    let (failures, results) = failed(run);
    assert_eq!(results, [Some(7)]);
    let killed = Cause::Killed { signal: libc::SIGKILL, core_dumped: false };
    assert_eq!(failures[0].cause, killed);
}
