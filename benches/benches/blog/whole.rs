//! The same once, as a program of its own: from its start to its end.

use std::process::Command;
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2};
use ndshm_array::{Prefault, SharedArray1, SharedArray2};
use ndshm_benches::Target::{AtLeast, AtMost};
use ndshm_benches::{Contender, Contest};
use ndshm_workers::{Worker, Workers};

use crate::{PARTIES, fill, python};

const OURS: &str = "ndshm, 2 processes";
const HUGE: &str = "ndshm, huge pages";
const RAYON: &str = "ndarray + rayon, 2 threads";

const HUGE_PAGES_COST: &str = "getting memory in huge pages takes 0.3 to 0.4 of a first touch here (see prefault); where a prototype of this took 0.3 of the time of rayon, they were to be had for less";

/// Says which of them this process is to be: the way and the size.
const ROLE: &str = "NDSHM_BENCH_BLOG";

/// Plays the program that this process was started as, where it was.
pub(super) fn is_one_run() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let (way, n) = role.split_once(' ').expect("a way and a size");
    let n: usize = n.parse().expect("a size");
    let sum = match way {
        "rayon" => {
            let threads = rayon::ThreadPoolBuilder::new().num_threads(PARTIES).build();
            let (mut m, mut sums) = (Array2::zeros((n, n)), Array1::zeros(n));
            threads.expect("threads").install(|| fill::by_rayon(&mut m, &mut sums));
            sums.sum()
        }
        _ => {
            let prefault = if way == "huge" { Prefault::huge() } else { Prefault::none() };
            let m =
                SharedArray2::<f64>::options().prefault(prefault.threads(PARTIES)).zeros((n, n));
            let args = (m.expect("memory"), SharedArray1::<f64>::zeros(n).expect("memory"));
            Workers::new(PARTIES).run(once, &args).expect("nobody fails");
            args.1.read().expect("nobody has it").sum()
        }
    };
    assert_eq!(sum, (n * n) as f64 * (n as f64 - 1.0));
    true
}

fn once(
    w: &Worker,
    (m, sums): (SharedArray2<f64>, SharedArray1<f64>),
) -> ndshm_workers::Result<()> {
    fill::band(w, &m, &sums)
}

pub(super) fn runs(n: usize) -> Contest<'static> {
    let program = |name, way: &'static str| -> Contender<'static> {
        (
            name,
            Box::new(move |count| {
                let start = Instant::now();
                for _ in 0..count {
                    run(&format!("{way} {n}"));
                }
                start.elapsed()
            }),
        )
    };
    let mut contenders =
        vec![program(OURS, "shared"), program(HUGE, "huge"), program(RAYON, "rayon")];
    contenders.extend(python::whole(n));
    let least = if n == 1000 { 12.0 } else { 3.0 };
    let mut promises = vec![AtLeast(least, &[python::WHOLE]).into()];
    if n == 4000 {
        promises.push(AtMost(0.35, &[RAYON]).of(HUGE).because(HUGE_PAGES_COST));
    }
    Contest::new(format!("blog, a program from start to end, n = {n}"), RAYON, contenders)
        .setting("fill and row sums, with the start of all processes or threads")
        .promising(promises)
        .one_by_one(13)
}

fn run(role: &str) -> Duration {
    let start = Instant::now();
    let program = std::env::current_exe().expect("its path");
    let status = Command::new(program).env(ROLE, role).status().expect("it starts");
    assert!(status.success(), "{role}: {status}");
    start.elapsed()
}
