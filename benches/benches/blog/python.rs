//! The Python of the blog post, and as it is better written: `multiprocessing.Array` seen through NumPy.

use std::process::Command;
use std::time::{Duration, Instant};

use ndshm_benches::{Contender, absent};

pub(super) const ELEMENTWISE: &str = "Python, element by element";
pub(super) const VECTORISED: &str = "Python, mp.Array + NumPy";
pub(super) const WHOLE: &str = "Python, mp.Array + NumPy, whole";

const HEAD: &str = "
import sys, time
from multiprocessing import Array, Barrier, Process
import numpy as np

n, count, P = int(sys.argv[1]), int(sys.argv[2]), 2

def views(shared, sums):
    return np.frombuffer(shared.get_obj()).reshape((n, n)), np.frombuffer(sums.get_obj())

def elementwise(M, S, rows):
    for i in rows:
        for j in range(n):
            M[i, j] = i + j
    for i in rows:
        S[i] = M[i].sum()

def vectorised(M, S, rows):
    i = np.arange(rows.start, rows.stop)
    np.add(i[:, None], np.arange(n)[None, :], out=M[rows.start:rows.stop])
    M[rows.start:rows.stop].sum(axis=1, out=S[rows.start:rows.stop])

def compute(rank, barrier, shared, sums, way, took):
    M, S = views(shared, sums)
    rows = range(rank * n // P, (rank + 1) * n // P)
    if count:
        way(M, S, rows)
        barrier.wait()
    start = time.perf_counter()
    for _ in range(max(count, 1)):
        way(M, S, rows)
        if count:
            barrier.wait()
    took[rank] = time.perf_counter() - start

if __name__ == '__main__':
    way = {'elementwise': elementwise, 'vectorised': vectorised}[sys.argv[3]]
    shared, sums, took, barrier = Array('d', n * n), Array('d', n), Array('d', P), Barrier(P)
    workers = [Process(target=compute, args=(i, barrier, shared, sums, way, took)) for i in range(P)]
    for w in workers: w.start()
    for w in workers: w.join()
    assert views(shared, sums)[1].sum() == n * n * (n - 1)
    print(max(took))
";

/// In processes that are there, in memory that was touched.
pub(super) fn vectorised(n: usize) -> Option<Contender<'static>> {
    steady(VECTORISED, "vectorised", n)
}

/// As the post has it.
pub(super) fn elementwise(n: usize) -> Option<Contender<'static>> {
    steady(ELEMENTWISE, "elementwise", n)
}

/// A program from its start to its end.
pub(super) fn whole(n: usize) -> Option<Contender<'static>> {
    let run = move |count| {
        let start = Instant::now();
        (0..count).all(|_| run(n, 0, "vectorised").is_some()).then(|| start.elapsed())
    };
    contender(WHOLE, run)
}

fn steady(name: &'static str, way: &'static str, n: usize) -> Option<Contender<'static>> {
    contender(name, move |count| run(n, count, way))
}

fn contender(
    name: &'static str,
    run: impl Fn(u64) -> Option<Duration> + 'static,
) -> Option<Contender<'static>> {
    if run(1).is_none() {
        absent(name, "no python3 with NumPy");
        return None;
    }
    Some((name, Box::new(move |count| run(count).expect("it ran before"))))
}

/// How long it says that so many took.
fn run(n: usize, count: u64, way: &str) -> Option<Duration> {
    let mut python = Command::new("python3");
    python.args(["-c", HEAD, &n.to_string(), &count.to_string(), way]);
    let output = python.output().ok().filter(|output| output.status.success())?;
    let seconds: f64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(Duration::from_secs_f64(seconds))
}
