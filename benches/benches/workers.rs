//! The start of a run: over a pool that is there, and in new processes, beside processes that merely wake
//! each other.
//!
//! `cargo bench -p ndshm-benches --bench workers`. What follows `--` as for the benchmark `sync`.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use ndshm_benches::{Contender, Contest, Session, Target, cpus, now, pin};
use ndshm_testkit::die_with_parent;
use ndshm_workers::{Pin, Pool, Worker, Workers};

const WORKERS: usize = 2;
const PING_PONGS: &str = "3 ping-pongs over eventfds";

const SWITCHES: &str = "a message to each of two workers and a look whether they live, in processes that have to be switched to one after the other; 0.92 in another run, where the ping-pongs took 20 µs instead of 15";

/// Where the two sides are.
struct Placement {
    name: &'static str,
    launcher: Option<usize>,
    others: Option<usize>,
}

fn main() {
    ndshm_workers::init();
    let mut session = Session::from_args();
    let all = cpus();
    let (first, last) = (all[0], *all.last().expect("a processor"));
    let placements = [
        Placement { name: "anywhere", launcher: None, others: None },
        Placement { name: "a processor each", launcher: Some(first), others: Some(last) },
        Placement { name: "one processor", launcher: Some(first), others: Some(first) },
    ];
    for placement in placements {
        let group = format!("workers, a run of nothing by {WORKERS}, {}", placement.name);
        if !session.wants(&group) {
            continue;
        }
        if let Some(cpu) = placement.launcher {
            pin(cpu);
        }
        let partner = Partner::start(placement.others);
        let pool = || {
            let mut pool = workers(&placement).pool().expect("workers");
            run_pool(&mut pool, 1);
            pool
        };
        let (mut begun, mut done) = (pool(), pool());
        let contenders: Vec<Contender<'_>> = vec![
            (
                "ndshm, a pool, until all have begun",
                Box::new(move |count| begin_pool(&mut begun, count)),
            ),
            ("ndshm, a pool, until all is done", Box::new(move |count| run_pool(&mut done, count))),
            (PING_PONGS, Box::new(move |count| partner.ping_pongs(3 * count))),
            ("ndshm, new processes", Box::new(move |count| run_fresh(&workers(&placement), count))),
        ];
        let promise = Target::AtMost(1.0, &[PING_PONGS]).because(SWITCHES);
        let contest = Contest::new(group, PING_PONGS, contenders).promising([promise]);
        session.hold(contest.turns(Duration::from_millis(20), 25));
    }
    session.end();
}

fn workers(placement: &Placement) -> Workers<'static> {
    let workers = Workers::new(WORKERS);
    match placement.others {
        Some(cpu) => workers.pin(Pin::Cpus(vec![cpu])),
        None => workers,
    }
}

fn nothing(_: &Worker, (): ()) -> Result<(), String> {
    Ok(())
}

fn begin(_: &Worker, (): ()) -> Result<u64, String> {
    Ok(now())
}

fn run_pool(pool: &mut Pool<'_>, count: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        pool.run(nothing, &()).expect("it does nothing");
    }
    start.elapsed()
}

/// Only until the last of them has begun.
fn begin_pool(pool: &mut Pool<'_>, count: u64) -> Duration {
    let each = |_| {
        let start = now();
        let begun = pool.run(begin, &()).expect("it does nothing");
        begun.into_iter().max().expect("workers").saturating_sub(start)
    };
    Duration::from_nanos((0..count).map(each).sum())
}

fn run_fresh(workers: &Workers<'_>, count: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        workers.run(nothing, &()).expect("it does nothing");
    }
    start.elapsed()
}

/// Another process, which answers.
struct Partner {
    ping: OwnedFd,
    pong: OwnedFd,
}

impl Partner {
    fn start(cpu: Option<usize>) -> Self {
        let (ping, pong) = (eventfd(), eventfd());
        // SAFETY: the child calls only what needs no thread but its own: none of another is in the midst
        // of anything, since this process has one thread here.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            0 => {
                die_with_parent();
                if let Some(cpu) = cpu {
                    pin(cpu);
                }
                loop {
                    take(&ping);
                    give(&pong);
                }
            }
            _ => Self { ping, pong },
        }
    }

    fn ping_pongs(&self, count: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..count {
            give(&self.ping);
            take(&self.pong);
        }
        start.elapsed()
    }
}

fn eventfd() -> OwnedFd {
    // SAFETY: takes two numbers and makes a descriptor.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(fd >= 0, "eventfd: {}", std::io::Error::last_os_error());
    // SAFETY: made just now; nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn give(fd: &OwnedFd) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: reads eight bytes of `one`.
    let r = unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    assert_eq!(r, 8);
}

fn take(fd: &OwnedFd) {
    let mut count = [0_u8; 8];
    // SAFETY: writes eight bytes to `count`.
    let r = unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    assert_eq!(r, 8);
}
