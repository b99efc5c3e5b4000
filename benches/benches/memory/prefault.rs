//! From nothing to memory that is filled once: created, got, `memset`.

use std::io;
use std::thread;
use std::time::Duration;

use ndshm_benches::Contender;
use ndshm_buffer::{Prefault, SharedBuffer};
use ndshm_testkit::{ends_well, fork};

use crate::plain::Plain;

pub(crate) const TOUCH: &str = "plain touch";
pub(crate) const HUGE: &str = "ndshm huge";
pub(crate) const HUGE_BY_TWO: &str = "ndshm huge, 2 processes";
pub(crate) const REFUSED: &str = "ndshm huge, refused";

/// Nanoseconds of one kind or another.
pub(crate) type Clock = fn() -> u64;

/// All who take part.
pub(crate) fn contenders(len: usize, clock: Clock, supply: Supply) -> Vec<Contender<'static>> {
    let timed = Timed { clock, supply, len };
    let ours = |prefault: Prefault| timed.run(move || made(len, prefault.clone()), fill);
    let plain = move || Plain::map(len, 0);
    let populated = move |plain: &mut Plain| {
        plain.populate(0, len);
        plain.bytes().fill(1);
    };
    vec![
        (TOUCH, timed.run(plain, |plain| plain.bytes().fill(1))),
        (HUGE, ours(Prefault::huge())),
        ("ndshm huge, insisting", ours(Prefault::huge().insist())),
        ("ndshm pages", ours(Prefault::pages())),
        ("ndshm none", ours(Prefault::none())),
        (REFUSED, timed.run(move || without_huge_pages(|| made(len, Prefault::huge())), fill)),
        (
            "MAP_POPULATE",
            timed.run(move || Plain::map(len, libc::MAP_POPULATE), |plain| plain.bytes().fill(1)),
        ),
        ("MADV_POPULATE_WRITE", timed.run(plain, populated)),
        ("plain touch, 2 processes", timed.run(plain, |plain| by_two_processes(plain.bytes()))),
        (
            HUGE_BY_TWO,
            timed.run(
                move || made(len, Prefault::huge().threads(2)),
                |ours| by_two_processes(bytes(ours)),
            ),
        ),
        (
            "ndshm pages, 2 processes",
            timed.run(
                move || made(len, Prefault::pages().threads(2)),
                |ours| by_two_processes(bytes(ours)),
            ),
        ),
        ("MADV_POPULATE_WRITE, 2 processes", timed.run(plain, populated_by_two_processes)),
        ("plain touch, 2 threads", timed.run(plain, |plain| by_two_threads(plain.bytes()))),
        (
            "ndshm huge, 2 threads",
            timed.run(
                move || made(len, Prefault::huge().threads(2)),
                |ours| by_two_threads(bytes(ours)),
            ),
        ),
    ]
}

/// Measures the time from nothing until it is made and used, without that of its end.
#[derive(Clone, Copy)]
struct Timed {
    clock: Clock,
    supply: Supply,
    len: usize,
}

/// Whether the kernel has at hand what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// As much was given back in huge pages just before each.
    AtHand,
    /// Whatever the one before has left: a hypervisor may have to supply what the kernel only seems to have.
    AsItComes,
}

impl Timed {
    fn run<T: 'static>(
        self,
        make: impl Fn() -> T + 'static,
        using: impl Fn(&mut T) + 'static,
    ) -> Box<dyn FnMut(u64) -> Duration> {
        Box::new(move |count| {
            if self.supply == Supply::AtHand {
                fill(&mut made(self.len, Prefault::huge().insist()));
            }
            let mut sum = 0;
            for _ in 0..count {
                let start = (self.clock)();
                let mut made = make();
                using(&mut made);
                sum += (self.clock)() - start;
            }
            Duration::from_nanos(sum)
        })
    }
}

pub(crate) fn made(len: usize, prefault: Prefault) -> SharedBuffer {
    SharedBuffer::options().prefault(prefault).anonymous(len).expect("room")
}

fn bytes(ours: &mut SharedBuffer) -> &mut [u8] {
    // SAFETY: nobody else has the segment: what is forked from this process writes parts that this one does not.
    unsafe { ours.as_mut_slice() }
}

fn fill(ours: &mut SharedBuffer) {
    bytes(ours).fill(1);
}

/// Half each.
fn by_two_processes(bytes: &mut [u8]) {
    let (mine, other) = bytes.split_at_mut(bytes.len() / 2);
    let child = fork(true, || other.fill(1));
    mine.fill(1);
    ends_well(child);
}

fn populated_by_two_processes(plain: &mut Plain) {
    let half = plain.bytes().len() / 2;
    let child = fork(true, || {
        plain.populate(half, half);
        plain.bytes()[half..].fill(1);
    });
    plain.populate(0, half);
    plain.bytes()[..half].fill(1);
    ends_well(child);
}

fn by_two_threads(bytes: &mut [u8]) {
    let (mine, other) = bytes.split_at_mut(bytes.len() / 2);
    thread::scope(|scope| {
        scope.spawn(|| other.fill(1));
        mine.fill(1);
    });
}

/// As where the kernel has none to give.
fn without_huge_pages<R>(body: impl FnOnce() -> R) -> R {
    let switch = |off: libc::c_ulong| {
        // SAFETY: this option takes numbers, and touches no memory.
        let done = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, off, 0, 0, 0) };
        assert_eq!(done, 0, "prctl: {}", io::Error::last_os_error());
    };
    switch(1);
    let result = body();
    switch(0);
    result
}
