//! Segments with names: made, opened, listed and collected beside many others.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ndshm_benches::{busy, sleep_on, wake};
use ndshm_buffer::{BufferOptions, SharedBuffer};
use ndshm_testkit::{die_with_parent, fork, raise_descriptors};

use crate::board::Board;
use crate::crew::{kill, reap};
use crate::plan::Plan;
use crate::series::{Out, Point, Series, Unit, since};

const SIZES: &[usize] = &[1, 10, 100, 1000, 10_000];
const LEN: usize = 4096;

/// Descriptors for all else.
const SPARE: u64 = 50;

fn options(dir: &Path) -> BufferOptions {
    SharedBuffer::options().dir(dir)
}

pub(crate) fn run(plan: &Plan, out: &mut Out) {
    let descriptors = raise_descriptors();
    let dir = plan.dir();
    let of = "segments of 4 KiB in the directory";
    let table = |what| Series::new("Segments", of, what, Unit::Nanoseconds);
    let mut create = table("create + drop one more");
    let mut open = table("open + drop one");
    let mut list = table("list()");
    let mut nothing = table("gc() of none");
    let mut collect = table("gc() of all, their creator killed");
    let ready = &Board::create().flag.0;
    for &n in SIZES {
        if n as u64 + SPARE > descriptors {
            out.note(format!("Not {n}: a process here may have {descriptors} descriptors only."));
            continue;
        }
        out.at(format!("{n} segments"));
        let holder = Holder::new(dir, n, ready);
        let per = |rounds, what: &mut dyn FnMut()| {
            Point::measure(n, plan.rounds(rounds), || {
                let start = busy();
                what();
                since(start, busy())
            })
        };
        create.points.push(per(101, &mut || {
            drop(options(dir).create("one-more", LEN).expect("memory"));
        }));
        open.points.push(per(101, &mut || {
            drop(options(dir).open(&name(n / 2)).expect("it is there"));
        }));
        let most = if n > 1000 { 5 } else { 15 };
        list.points.push(per(most, &mut || {
            assert_eq!(options(dir).list().expect("a directory").len(), n);
        }));
        nothing.points.push(per(most, &mut || {
            assert_eq!(options(dir).gc().expect("a directory").len(), 0);
        }));
        let mut holder = Some(holder);
        collect.points.push(Point::measure(n, plan.rounds(if n > 1000 { 3 } else { 9 }), || {
            drop(holder.take().unwrap_or_else(|| Holder::new(dir, n, ready)));
            let start = busy();
            assert_eq!(options(dir).gc().expect("a directory").len(), n);
            since(start, busy())
        }));
    }
    out.series([create, open, list, nothing, collect]);
}

fn name(i: usize) -> String {
    format!("segment-{i}")
}

/// A process that has made so many segments and has them open; killed when dropped.
struct Holder(libc::pid_t);

impl Holder {
    fn new(dir: &Path, n: usize, ready: &AtomicU32) -> Self {
        ready.store(0, Ordering::Relaxed);
        let dir: PathBuf = dir.to_owned();
        let pid = fork(true, move || {
            die_with_parent();
            let make = |i| options(&dir).create(&name(i), LEN).expect("memory and descriptors");
            let _made: Vec<SharedBuffer> = (0..n).map(make).collect();
            ready.store(1, Ordering::Release);
            wake(ready);
            loop {
                std::thread::park();
            }
        });
        while ready.load(Ordering::Acquire) == 0 {
            sleep_on(ready, 0, Duration::from_millis(100));
        }
        Self(pid)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        kill(self.0);
        reap(self.0);
    }
}
