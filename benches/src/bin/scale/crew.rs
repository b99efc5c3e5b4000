//! Up to 1,000 processes, forked from this one, that sleep until they are told what to do.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ndshm_benches::{busy, cpus, now, pin, sleep_on, wake};
use ndshm_testkit::{die_with_parent, fork};

use crate::board::{Board, MOST, Seat};
use crate::series::since;

/// How often who waits for the crew looks whether one of it has died.
const LOOK: Duration = Duration::from_millis(200);

/// What one of the crew does each time it is told to.
pub(crate) type Work = Box<dyn FnMut(&Turn<'_>)>;

/// An order, as one of the crew sees it.
pub(crate) struct Turn<'a> {
    /// Which of the things it can do; each part has numbers of its own.
    pub(crate) job: u32,
    count: u64,
    board: &'a Board,
    seat: &'a Seat,
}

impl Turn<'_> {
    /// Does it as often as was ordered, or until all are to stop.
    pub(crate) fn repeat(&self, mut operation: impl FnMut()) {
        self.begins();
        let mut done = 0;
        while if self.count == 0 {
            self.board.stop.0.load(Ordering::Relaxed) == 0
        } else {
            done < self.count
        } {
            operation();
            done += 1;
            self.seat.done.store(done, Ordering::Relaxed);
        }
        self.ends();
    }

    /// As often as was ordered, by one that works alone: only its own processor time counts.
    pub(crate) fn repeat_alone(&self, mut operation: impl FnMut()) {
        let start = busy();
        (0..self.count).for_each(|_| operation());
        let took = busy() - start;
        self.seat.began.store(0, Ordering::Relaxed);
        self.seat.ended.store(took, Ordering::Relaxed);
    }

    /// From here on the time counts.
    pub(crate) fn begins(&self) {
        self.seat.began.store(now(), Ordering::Relaxed);
    }

    /// Up to here.
    pub(crate) fn ends(&self) {
        self.seat.ended.store(now(), Ordering::Relaxed);
    }

    /// For what a part has to say besides.
    pub(crate) fn flag(&self) -> &AtomicU32 {
        &self.board.flag.0
    }
}

/// What was done in a window of time, by each.
pub(crate) struct Window {
    pub(crate) done: Vec<u64>,
    nanos: u64,
}

impl Window {
    #[allow(clippy::cast_precision_loss, reason = "counts of some millions")]
    pub(crate) fn per_second(&self) -> f64 {
        self.done.iter().sum::<u64>() as f64 * 1e9 / self.nanos as f64
    }

    /// Jain's index: 1 where all did the same, 1/n where one did everything.
    #[allow(clippy::cast_precision_loss, reason = "counts of some millions")]
    pub(crate) fn fairness(&self) -> f64 {
        let done = || self.done.iter().map(|&done| done as f64);
        let (sum, squares): (f64, f64) = (done().sum(), done().map(|d| d * d).sum());
        if squares == 0.0 { 0.0 } else { sum * sum / (squares * self.done.len() as f64) }
    }
}

/// Processes, asleep until they are told. Killed and reaped when dropped.
pub(crate) struct Crew<'a> {
    board: &'static Board,
    prepare: &'a dyn Fn(usize) -> Work,
    cpus: Vec<usize>,
    pids: Vec<libc::pid_t>,
    turn: u32,
}

impl<'a> Crew<'a> {
    /// Of nobody yet. Each that is forked later begins with `prepare`, and is told its rank. The process
    /// has one thread only.
    pub(crate) fn new(prepare: &'a dyn Fn(usize) -> Work) -> Self {
        Self { board: Board::create(), prepare, cpus: cpus(), pids: Vec::new(), turn: 0 }
    }

    /// Forks until it is of so many, and waits until all are prepared.
    pub(crate) fn grow_to(&mut self, size: usize) {
        assert!(size <= MOST, "a crew of {size}: at most {MOST}");
        for rank in self.pids.len()..size {
            let pid = fork(true, || {
                die_with_parent();
                pin(self.cpus[rank % self.cpus.len()]);
                obey(self.board, rank, (self.prepare)(rank));
            });
            self.pids.push(pid);
        }
        self.until(&self.board.prepared.0, size);
    }

    /// Has the first `active` do that job `count` times each; nanoseconds that the first of them took.
    pub(crate) fn each(&mut self, active: usize, job: u32, count: u64) -> f64 {
        assert!(count > 0, "nothing to do");
        self.start(active, job, count);
        self.finish();
        let (began, ended) = self.span(0);
        since(began, ended)
    }

    /// Has the first `active` do that job for some time, of which the first quarter does not count.
    pub(crate) fn window(&mut self, active: usize, job: u32, window: Duration) -> Window {
        self.start(active, job, 0);
        std::thread::sleep(window / 4);
        let (before, began) = (self.done(active), now());
        std::thread::sleep(window);
        let (after, ended) = (self.done(active), now());
        self.finish();
        let done = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        Window { done, nanos: ended - began }
    }

    /// The first half of [`each`](Self::each).
    pub(crate) fn start(&mut self, active: usize, job: u32, count: u64) {
        assert!((1..=self.pids.len()).contains(&active), "{active} of {}", self.pids.len());
        self.turn += 1;
        let board = self.board;
        board.job.store(job, Ordering::Relaxed);
        board.active.store(u32::try_from(active).expect("a small number"), Ordering::Relaxed);
        board.count.store(count, Ordering::Relaxed);
        board.stop.0.store(0, Ordering::Relaxed);
        board.ready.0.store(0, Ordering::Relaxed);
        board.finished.0.store(0, Ordering::Relaxed);
        for seat in &board.seats[..active] {
            seat.done.store(0, Ordering::Relaxed);
            // Release: with the order comes all of the above.
            seat.order.store(self.turn, Ordering::Release);
            wake(&seat.order);
        }
        self.until(&board.ready.0, active);
        board.go.0.store(self.turn, Ordering::Release);
        wake(&board.go.0);
    }

    /// The second half: who would go on is told to stop; waits for all.
    pub(crate) fn finish(&self) {
        self.board.stop.0.store(1, Ordering::Relaxed);
        self.until(&self.board.finished.0, self.board.active.load(Ordering::Relaxed) as usize);
    }

    /// When the work of that one began and ended, on the clock of [`now`].
    pub(crate) fn span(&self, rank: usize) -> (u64, u64) {
        let seat = &self.board.seats[rank];
        (seat.began.load(Ordering::Relaxed), seat.ended.load(Ordering::Relaxed))
    }

    /// The process id of the one that was forked last.
    pub(crate) fn last(&self) -> libc::pid_t {
        *self.pids.last().expect("a crew of somebody")
    }

    /// For what a part has to say besides.
    pub(crate) fn flag(&self) -> &'static AtomicU32 {
        &self.board.flag.0
    }

    fn done(&self, active: usize) -> Vec<u64> {
        self.board.seats[..active].iter().map(|seat| seat.done.load(Ordering::Relaxed)).collect()
    }

    /// Sleeps until the counter is there.
    fn until(&self, counter: &AtomicU32, there: usize) {
        loop {
            // Acquire pairs with the Release of each that counts itself.
            let now = counter.load(Ordering::Acquire);
            if now as usize >= there {
                return;
            }
            assert!(!somebody_ended(), "one of the crew has died");
            sleep_on(counter, now, LOOK);
        }
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        self.pids.iter().for_each(|&pid| kill(pid));
        self.pids.iter().for_each(|&pid| reap(pid));
    }
}

/// SIGKILL, to a child that is not reaped yet.
pub(crate) fn kill(pid: libc::pid_t) {
    // SAFETY: the number is still this child's; no memory is touched.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Waits until a child has ended.
pub(crate) fn reap(pid: libc::pid_t) {
    // SAFETY: where there is no place for a status none is written.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
}

/// Whether a child has ended by itself: those that are killed are reaped at once.
fn somebody_ended() -> bool {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: there is room for what the kernel writes.
    let r = unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), flags) };
    // SAFETY: zeroed, and filled by the call.
    let info = unsafe { info.assume_init() };
    r == 0 && info.si_signo != 0
}

/// The life of one of the crew: it ends by a signal.
fn obey(board: &Board, rank: usize, mut work: Work) {
    let seat = &board.seats[rank];
    count_in(&board.prepared.0, None);
    let mut seen = 0;
    loop {
        // Acquire pairs with the Release of the order.
        let turn = seat.order.load(Ordering::Acquire);
        if turn == seen {
            sleep_on(&seat.order, seen, Duration::from_secs(3600));
            continue;
        }
        seen = turn;
        let active = board.active.load(Ordering::Relaxed);
        let count = board.count.load(Ordering::Relaxed);
        let turn = Turn { job: board.job.load(Ordering::Relaxed), count, board, seat };
        count_in(&board.ready.0, Some(active));
        loop {
            let go = board.go.0.load(Ordering::Acquire);
            if go == seen {
                break;
            }
            sleep_on(&board.go.0, go, Duration::from_secs(3600));
        }
        work(&turn);
        count_in(&board.finished.0, Some(active));
    }
}

/// Counts itself; the last of so many, or each, wakes who waits for that.
fn count_in(counter: &AtomicU32, last: Option<u32>) {
    // Release: with the number comes what was done before.
    let now = counter.fetch_add(1, Ordering::AcqRel) + 1;
    if last.is_none_or(|last| now == last) {
        wake(counter);
    }
}
