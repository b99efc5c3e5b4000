//! A claim, and its end: alone, and beside others.

use std::os::fd::AsRawFd;

use ndarray::s;
use ndshm_array::{SharedArray2, WriteGuard};
use ndshm_benches::Target::{AtMost, Within};
use ndshm_benches::{Contender, Contest, timed};

const ROWS: usize = 4000;
const COLUMNS: usize = 100;

const RECORD_LOCK: &str = "record lock of the kernel (OFD)";
const ALONE: &str = "ndshm, alone";

pub(super) fn contests() -> Vec<Contest<'static>> {
    let alone = |name, array: SharedArray2<f64>| -> Contender<'static> {
        (name, timed(move || drop(array.claim_mut(10..60).expect("nobody else has it"))))
    };
    let array = || SharedArray2::<f64>::zeros((ROWS, COLUMNS)).expect("memory");
    let (tile, read, many) = (array(), array(), array());
    let kinds: Vec<Contender<'static>> = vec![
        alone("ndshm, rows to write", array()),
        ("ndshm, rows to read", timed(move || drop(read.claim(10..60).expect("nobody writes")))),
        ("ndshm, a tile", timed(move || drop(tile.claim_mut(s![10..60, 20..70]).expect("free")))),
        ("ndshm, two tiles at once", {
            let parts = || [s![10..60, 20..70], s![10..60, 80..90]];
            let soon = std::time::Duration::from_secs(1);
            timed(move || drop(many.claim_many_mut(parts(), soon).expect("free")))
        }),
        (RECORD_LOCK, timed(record_lock())),
    ];
    let mut beside = vec![alone(ALONE, array())];
    for (name, others) in
        [("ndshm, beside 10", 10), ("ndshm, beside 100", 100), ("ndshm, beside 1,000", 1000)]
    {
        let (array, _kept) = with_claims(array(), others);
        beside.push(alone(name, array));
    }
    let contests = [
        Contest::new("claims, alone", RECORD_LOCK, kinds).promising([
            Within(150.0).because("147 ns of processor time: the table's lock, an entry published and taken back, by one process on a quiet processor"),
            AtMost(1.0, &[RECORD_LOCK]).into(),
        ]),
        Contest::new("claims, beside others that are held", ALONE, beside),
    ];
    contests.map(|c| c.setting("claimed and released, one processor")).into()
}

/// An array of which that many rows behind the first hundred are claimed one by one, for as long as the benchmark runs.
fn with_claims(
    array: SharedArray2<f64>,
    others: usize,
) -> (SharedArray2<f64>, &'static [WriteGuard<'static, f64, ndarray::Ix2>]) {
    let claim = |n| array.claim_mut_owned(100 + n..101 + n).expect("free");
    let kept: Vec<_> = (0..others).map(claim).collect();
    (array, kept.leak())
}

/// What the kernel has for parts of a file: a lock on a range of bytes. It waits for its owners' death, too, and is one
/// system call to take and one to give back.
fn record_lock() -> impl FnMut() {
    let file = tempfile::tempfile_in("/dev/shm").expect("a file");
    let lock = move |kind: libc::c_int| {
        // SAFETY: plain data, valid when zeroed.
        let mut range: libc::flock = unsafe { std::mem::zeroed() };
        (range.l_type, range.l_start, range.l_len) = (kind as libc::c_short, 8000, 40_000);
        // SAFETY: an open file, and one `flock` that the kernel reads.
        let r = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
        assert_eq!(r, 0, "{}", std::io::Error::last_os_error());
    };
    move || {
        lock(libc::F_WRLCK);
        lock(libc::F_UNLCK);
    }
}
