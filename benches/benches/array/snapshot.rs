//! A consistent copy of all of an array, into memory that is new each time: the copy beside it is, too.

use std::time::Duration;

use ndarray::Array2;
use ndshm_array::SharedArray2;
use ndshm_benches::Target::AtMost;
use ndshm_benches::{Contender, Contest, timed};

/// Beyond what caches hold.
const SHAPE: (usize, usize) = (2048, 2048);
const MEMCPY: &str = "copy of private memory";
const LIMIT: Duration = Duration::from_secs(10);

/// One that can claim: at most a ninth more than a copy.
pub(super) fn shared() -> Contest<'static> {
    let array = SharedArray2::from_elem(SHAPE, 0.5).expect("memory");
    Contest::new(
        "claims, a snapshot of 32 MiB",
        MEMCPY,
        vec![snapshot("ndshm, under a shared claim", array), memcpy()],
    )
    .promising([AtMost(1.11, &[MEMCPY])])
    .one_by_one(25)
}

/// One that cannot write a claim: at half the speed of a copy.
pub(super) fn read_only() -> Contest<'static> {
    let name = format!("ndshm-bench-snapshot-{}", std::process::id());
    let options = SharedArray2::<f64>::options().name(&name);
    let array: &SharedArray2<f64> =
        Box::leak(Box::new(options.from_elem(SHAPE, 0.5).expect("memory")));
    // SAFETY: made just above, and nobody writes to it.
    let reader = unsafe { SharedArray2::<f64>::options().read_only(true).open(&name) };
    // Nobody removes it but its maker's drop, which a leaked one has not.
    array.unlink().expect("its name");
    Contest::new(
        "claims, a snapshot of 32 MiB that is open read-only",
        MEMCPY,
        vec![snapshot("ndshm, optimistic", reader.expect("it is there")), memcpy()],
    )
    .promising([AtMost(2.0, &[MEMCPY])])
    .one_by_one(25)
}

fn snapshot(name: &'static str, array: SharedArray2<f64>) -> Contender<'static> {
    (name, timed(move || drop(array.snapshot(LIMIT).expect("nobody writes"))))
}

fn memcpy() -> Contender<'static> {
    let private = Array2::from_elem(SHAPE, 0.5);
    // Of a slice: ndarray's own copy of a whole array is one, too.
    (MEMCPY, timed(move || drop(private.as_slice().expect("in order").to_vec())))
}
