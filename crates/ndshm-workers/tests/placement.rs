//! How many threads a worker starts, on which processors it runs, and where its lines go.

mod common;

use std::process::Command;

use common::watchdog;
use ndshm_workers::{Event, Output, Pin, RunError, StartError, Stream, Worker, Workers};

ndshm_workers::test_support!();

type Outcome<T> = Result<T, String>;

fn allowed() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let range = |part: &str| {
        let (a, b) = part.split_once('-').unwrap_or((part, part));
        a.parse::<usize>().unwrap()..=b.parse().unwrap()
    };
    list.split(',').flat_map(range).collect()
}

fn processors(_: &Worker, (): ()) -> Outcome<Vec<usize>> {
    Ok(allowed())
}

#[test]
fn workers_are_pinned_on_request() {
    let _watchdog = watchdog("pinned", 60);
    let here = allowed();
    assert_eq!(Workers::new(2).run(processors, &()).unwrap(), [here.clone(), here.clone()]);
    let spread = Workers::new(here.len()).pin(Pin::Spread).run(processors, &()).unwrap();
    assert_eq!(spread, here.iter().map(|&cpu| vec![cpu]).collect::<Vec<_>>());
    let more = Workers::new(here.len() + 1).pin(Pin::Spread).run(processors, &()).unwrap();
    assert_eq!((more[0].len(), more.last()), (1, Some(&vec![here[0]])));
    let last = *here.last().unwrap();
    let chosen = Workers::new(2).pin(Pin::Cpus(vec![last])).run(processors, &()).unwrap();
    assert_eq!(chosen, [[last], [last]]);
    let error = Workers::new(1).pin(Pin::Cpus(vec![1000])).run(processors, &()).unwrap_err();
    assert!(matches!(error, RunError::Start(StartError::Cpu { rank: 0, .. })), "{error}");
    // A process that takes the place of a dead one goes to its place.
    let die_once = |w: &Worker, ()| -> Outcome<Vec<usize>> {
        if w.attempt() == 0 { std::process::abort() } else { Ok(allowed()) }
    };
    let again = Workers::new(2).retry(1).pin(Pin::Cpus(vec![last])).run(die_once, &()).unwrap();
    assert_eq!(again, [[last], [last]]);
}

fn threads(worker: &Worker, deeper: bool) -> Outcome<(usize, Vec<Option<String>>)> {
    if deeper {
        return Ok(Workers::new(2).run(threads, &false).map_err(|e| e.to_string())?.remove(0));
    }
    let names = ["RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"];
    Ok((worker.threads(), names.map(|name| std::env::var(name).ok()).to_vec()))
}

/// Not a test: what `thread_counts_are_divided` starts with an environment of its own.
#[test]
fn thread_counts() {
    let Ok(cores) = std::env::var("NDSHM_TEST_CORES") else { return };
    let cores: usize = cores.parse().unwrap();
    let text = |n: usize| Some(n.max(1).to_string());
    for size in 1..=4 {
        let each = cores / size;
        for (share, variables) in Workers::new(size).run(threads, &false).unwrap() {
            assert_eq!(share, each.max(1));
            assert_eq!(
                variables,
                [text(each), text(each), Some("7".to_owned())],
                "the user's stays"
            );
        }
        let nested = Workers::new(size).run(threads, &true).unwrap();
        assert_eq!(
            nested[0].1,
            [text(each.max(1) / 2), text(each.max(1) / 2), Some("7".to_owned())]
        );
    }
    let asked = Workers::new(2).threads(3).run(threads, &false).unwrap();
    assert_eq!(asked[0], (3, vec![text(3), text(3), text(3)]), "the program insists");
}

#[test]
fn thread_counts_are_divided() {
    let _watchdog = watchdog("threads", 60);
    let cores = std::thread::available_parallelism().unwrap().to_string();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "thread_counts"]).env("NDSHM_TEST_CORES", cores);
    for name in ["RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NDSHM_THREADS"] {
        command.env_remove(name);
    }
    let output = command.env("OMP_NUM_THREADS", "7").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn speak(worker: &Worker, lines: usize) -> Outcome<()> {
    for line in 0..lines {
        println!("{} says {line} {}", worker.rank(), "x".repeat(200));
    }
    eprint!("no end from {}", worker.rank());
    Ok(())
}

#[test]
fn lines_come_whole_in_order_and_before_the_end() {
    let _watchdog = watchdog("lines", 60);
    let lines = 2000; // more than a pipe holds
    let seen = std::cell::RefCell::new(vec![(0, Vec::new(), false); 3]);
    let workers = Workers::new(3).output(Output::Events).on_event(|event| {
        let seen = &mut seen.borrow_mut();
        match event {
            Event::Output { rank, stream: Stream::Stdout, line } => {
                let expected = format!("{rank} says {} {}", seen[rank].0, "x".repeat(200));
                assert_eq!(String::from_utf8(line).unwrap(), expected);
                assert!(!seen[rank].2, "before its end");
                seen[rank].0 += 1;
            }
            Event::Output { rank, line, .. } => seen[rank].1.extend(line),
            Event::Finished { rank } => seen[rank].2 = true,
            _ => {}
        }
    });
    let mut pool = workers.pool().unwrap();
    for _ in 0..2 {
        pool.run(speak, &lines).unwrap();
        for (rank, seen) in seen.borrow_mut().iter_mut().enumerate() {
            let expected = (lines, format!("no end from {rank}").into_bytes(), true);
            assert_eq!(std::mem::take(seen), expected);
        }
    }
}

/// Not a test: prints through its parent, which another test reads.
#[test]
fn prefixed() {
    if std::env::var_os("NDSHM_TEST_PREFIXED").is_some() {
        Workers::new(2).output(Output::Prefixed).run(speak, &3).unwrap();
    }
}

#[test]
fn lines_are_prefixed_by_rank() {
    let _watchdog = watchdog("prefixed", 60);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "prefixed", "--nocapture"])
        .env("NDSHM_TEST_PREFIXED", "1")
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    for rank in 0..2 {
        for line in 0..3 {
            let whole = format!("[{rank}] {rank} says {line} {}", "x".repeat(200));
            assert_eq!(out.lines().filter(|l| *l == whole).count(), 1, "{out}");
        }
        assert!(err.lines().any(|l| l == format!("[{rank}] no end from {rank}")), "{err}");
    }
}
