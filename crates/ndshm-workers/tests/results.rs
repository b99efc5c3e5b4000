//! Arguments go there, results come home.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use common::watchdog;
use ndshm_workers::{Event, RunError, StartError, Worker, Workers};
use serde::{Deserialize, Serialize};

ndshm_workers::test_support!();

type Outcome<T> = Result<T, String>;

fn identity(worker: &Worker, (): ()) -> Outcome<(usize, usize, u32)> {
    // The later ranks first, so that the order of arrival is not that of ranks.
    std::thread::sleep(std::time::Duration::from_millis(40 * (4 - worker.rank() as u64)));
    Ok((worker.rank(), worker.size(), std::process::id()))
}

#[test]
fn results_are_in_rank_order_and_each_from_a_process_of_its_own() {
    let _watchdog = watchdog("rank order", 60);
    let results = Workers::new(4).run(identity, &()).unwrap();
    let ranks: Vec<_> = results.iter().map(|r| (r.0, r.1)).collect();
    assert_eq!(ranks, [(0, 4), (1, 4), (2, 4), (3, 4)]);
    let mut pids: Vec<_> = results.iter().map(|r| r.2).collect();
    pids.push(std::process::id());
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 5);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { radius: f64 },
    Named(String, BTreeMap<String, Vec<i32>>),
}

#[test]
fn any_serde_value_travels_both_ways() {
    let _watchdog = watchdog("serde", 60);
    let map = BTreeMap::from([("a".to_owned(), vec![1, -2]), ("ä".to_owned(), vec![])]);
    let shapes = vec![Shape::Point, Shape::Circle { radius: 0.1 }, Shape::Named("x".into(), map)];
    let args = (shapes, Some(3_u8), 1.5_f32);
    let back =
        Workers::new(2).run(|_, args: (Vec<Shape>, Option<u8>, f32)| Outcome::Ok(args), &args);
    assert_eq!(back.unwrap(), [args.clone(), args]);
}

fn each_plus_rank(worker: &Worker, bytes: Vec<u8>) -> Outcome<Vec<u8>> {
    Ok(bytes.into_iter().map(|b| b.wrapping_add(worker.rank() as u8)).collect())
}

#[test]
fn megabytes_travel_both_ways() {
    let _watchdog = watchdog("8 MiB", 120);
    let bytes: Vec<u8> = (0..8 << 20).map(|i: u32| (i ^ (i >> 11)) as u8).collect();
    let results = Workers::new(3).run(each_plus_rank, &bytes).unwrap();
    for (rank, result) in results.iter().enumerate() {
        assert_eq!(result.len(), bytes.len());
        assert!(result.iter().zip(&bytes).all(|(r, b)| *r == b.wrapping_add(rank as u8)));
    }
}

fn generic<T: std::ops::Mul<Output = T> + Copy>(_: &Worker, x: T) -> Outcome<T> {
    Ok(x * x)
}

#[test]
fn generic_functions_and_closures_run() {
    let _watchdog = watchdog("generic", 60);
    assert_eq!(Workers::new(1).run(generic::<f64>, &1.5).unwrap(), [2.25]);
    assert_eq!(Workers::new(1).run(generic::<u8>, &3).unwrap(), [9]);
    let results = Workers::new(2).run(|w, x: i64| Outcome::Ok(x - w.rank() as i64), &1);
    assert_eq!(results.unwrap(), [1, 0]);
}

static GLOBAL: AtomicU32 = AtomicU32::new(1);

#[test]
fn a_worker_is_no_copy_of_the_parent() {
    let _watchdog = watchdog("fresh", 60);
    GLOBAL.store(2, Ordering::Relaxed);
    let seen = Workers::new(1).run(
        |_, ()| {
            let mut input = String::new();
            let read = std::io::stdin().read_line(&mut input).map_err(|e| e.to_string())?;
            let variables: Vec<_> = ["NDSHM_RANK", "NDSHM_SIZE", "NDSHM_GROUP"]
                .map(|name| std::env::var(name).ok())
                .into();
            let args: Vec<String> = std::env::args().collect();
            Outcome::Ok((GLOBAL.load(Ordering::Relaxed), read, variables, args))
        },
        &(),
    );
    let seen = seen.unwrap().remove(0);
    assert_eq!((seen.0, seen.1), (1, 0));
    assert_eq!(seen.2, [Some("0".to_owned()), Some("1".to_owned()), None]);
    assert_eq!(seen.3, std::env::args().collect::<Vec<_>>());
}

#[test]
fn groups_have_one_to_many_workers() {
    for size in [0, 1 << 20] {
        let error = Workers::new(size).run(identity, &()).unwrap_err();
        assert!(matches!(error, RunError::Start(StartError::Size { size: s, .. }) if s == size));
        assert!(error.failures().is_empty());
    }
}

#[test]
fn a_function_of_a_shared_library_is_refused() {
    // A function of libc, which is linked dynamically, in the guise of a worker's.
    type Function = fn(&Worker, ()) -> Outcome<()>;
    // SAFETY: both are pointers to functions; this one is not called, only refused.
    let foreign = unsafe { std::mem::transmute::<*const (), Function>(libc::getpid as *const ()) };
    let error = Workers::new(1).run(foreign, &()).unwrap_err();
    assert!(matches!(error, RunError::Start(StartError::NotInExecutable)), "{error}");
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(ndshm_buffer::passing::explain("held by a claim")))
    }
}

impl<'de> Deserialize<'de> for Unwritable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[test]
fn arguments_that_cannot_be_written_start_nothing() {
    let mut events = 0;
    let workers = Workers::new(2).on_event(|_| events += 1);
    let error = workers.run(|_, _: Unwritable| Outcome::Ok(()), &Unwritable).unwrap_err();
    assert!(
        matches!(&error, RunError::Start(StartError::Arguments(why)) if why == "held by a claim")
    );
    assert!(error.to_string().ends_with("held by a claim"));
    drop(workers);
    assert_eq!(events, 0);
}

fn nested(worker: &Worker, depth: u32) -> ndshm_workers::Result<Vec<usize>> {
    if depth == 0 {
        return Ok(vec![worker.rank()]);
    }
    let inner = Workers::new(2).run(nested, &(depth - 1))?;
    worker.barrier()?;
    Ok(inner.concat())
}

#[test]
fn workers_may_have_workers() {
    let _watchdog = watchdog("nested", 60);
    assert_eq!(Workers::new(2).run(nested, &1).unwrap(), [[0, 1], [0, 1]]);
}

#[test]
fn two_threads_run_at_once() {
    let _watchdog = watchdog("two runs", 60);
    let sum = |worker: &Worker, x: usize| -> ndshm_workers::Result<usize> {
        worker.barrier()?;
        Ok(x + worker.rank())
    };
    std::thread::scope(|scope| {
        for x in [10, 20, 30] {
            scope.spawn(move || {
                for _ in 0..5 {
                    assert_eq!(Workers::new(2).run(sum, &x).unwrap(), [x, x + 1]);
                }
            });
        }
    });
}

fn steps(worker: &Worker, steps: usize) -> Outcome<()> {
    for step in 1..=steps {
        worker.progress(step, steps);
    }
    Ok(())
}

#[test]
fn events_come_in_order() {
    let _watchdog = watchdog("events", 60);
    let mut events = Vec::new();
    Workers::new(2).on_event(|event| events.push(event)).run(steps, &10_000).unwrap();
    for me in 0..2 {
        let of_rank: Vec<&Event> = events
            .iter()
            .filter(|event| match event {
                Event::Started { rank, .. }
                | Event::Progress { rank, .. }
                | Event::Finished { rank } => *rank == me,
                _ => panic!("{event:?}"),
            })
            .collect();
        let [Event::Started { .. }, progress @ .., Event::Finished { .. }] = &of_rank[..] else {
            panic!("{of_rank:?}");
        };
        let last = Event::Progress { rank: me, done: 10_000, total: 10_000 };
        assert_eq!(progress.last(), Some(&&last));
        assert!(progress.len() < 1000, "{} progress events", progress.len());
    }
}

#[test]
fn a_panic_of_the_callback_ends_the_workers() {
    let _watchdog = watchdog("callback", 60);
    let pids = std::sync::Mutex::new(Vec::new());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Workers::new(2)
            .on_event(|event| {
                if let Event::Started { pid, .. } = event {
                    pids.lock().unwrap().push(pid);
                    assert!(pids.lock().unwrap().len() < 2, "enough");
                }
            })
            .run(
                |_, ()| {
                    std::thread::sleep(std::time::Duration::from_secs(600));
                    Outcome::Ok(())
                },
                &(),
            )
    }));
    assert!(caught.is_err());
    for pid in pids.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        assert!(!common::exists(pid), "{pid} is left");
    }
}
