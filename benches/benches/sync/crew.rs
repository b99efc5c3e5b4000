//! Parties that work at the same time, each on a processor that it is told: processes forked from
//! this one, or threads.
//!
//! Forked, so that rivals without a way to attach (process-sync, an eventfd) can take part. Between
//! orders all sleep, and so does whoever gives them: a processor is for those who are measured.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndshm_benches::{now, pin, sleep_on, wake};
use ndshm_testkit::die_with_parent;

use crate::arena::{Arena, Shared};

/// The most parties of a crew.
pub(crate) const MOST: usize = 8;

/// Nothing here should take as long.
const LIMIT: Duration = Duration::from_secs(60);

/// What a party does when it is told to, once it has been prepared: the number of operations done.
pub(crate) type Job = Box<dyn FnMut(&Run<'_>) -> u64>;

/// Prepares a party, of that rank, for a job.
pub(crate) type Prepare = Box<dyn Fn(usize) -> Job + Send + Sync>;

/// How often a job is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// That many operations by each party.
    Each(u64),
    /// As many as fit.
    For(Duration),
}

/// On which processors the parties are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Each on the next one; round robin where there are fewer.
    Spread,
    /// All on one.
    Together,
}

/// An order, as a party sees it.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) rank: usize,
    pub(crate) parties: usize,
    /// Whether to look for errors on the way.
    pub(crate) checked: bool,
    count: Option<u64>,
    stop: &'a AtomicU32,
}

impl Run<'_> {
    /// Does it again and again, as often as was ordered; how often it was.
    #[inline]
    pub(crate) fn repeat(&self, mut operation: impl FnMut()) -> u64 {
        if let Some(count) = self.count {
            for _ in 0..count {
                operation();
            }
            return count;
        }
        let mut done = 0;
        while self.stop.load(Ordering::Relaxed) == 0 {
            operation();
            done += 1;
        }
        done
    }

    /// For loops that are not written here.
    pub(crate) fn limits(&self) -> (u64, &AtomicU32) {
        (self.count.unwrap_or(u64::MAX), self.stop)
    }
}

/// What one party did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) operations: u64,
    began: u64,
    ended: u64,
}

/// From the first that began to the last that ended.
pub(crate) fn elapsed(tallies: &[Tally]) -> Duration {
    let began = tallies.iter().map(|t| t.began).min().unwrap_or(0);
    let ended = tallies.iter().map(|t| t.ended).max().unwrap_or(0);
    Duration::from_nanos(ended.saturating_sub(began))
}

/// All of them together.
pub(crate) fn operations(tallies: &[Tally]) -> u64 {
    tallies.iter().map(|t| t.operations).sum()
}

/// What is written by some and read by others, apart from the rest.
#[repr(C, align(128))]
#[derive(Debug, Default)]
struct Line<T>(T);

/// Where orders are given. Written by the one that gives them while all parties sleep.
#[repr(C)]
#[derive(Debug, Default)]
struct Board {
    job: AtomicU64,
    parties: AtomicU64,
    count: AtomicU64,
    checked: AtomicU64,
    stop: Line<AtomicU32>,
    ready: Line<AtomicU32>,
    finished: Line<AtomicU32>,
    seats: [Seat; MOST],
}

/// A party's own part of the board.
#[repr(C, align(128))]
#[derive(Debug, Default)]
struct Seat {
    order: AtomicU32,
    cpu: AtomicU64,
    operations: AtomicU64,
    began: AtomicU64,
    ended: AtomicU64,
}

// SAFETY: made of atomics.
unsafe impl Shared for Board {}

/// Parties, asleep until they are told.
#[derive(Debug)]
pub(crate) struct Crew {
    board: &'static Board,
    size: usize,
    jobs: usize,
    /// Empty for threads.
    children: Vec<c_int>,
}

impl Crew {
    /// That many processes, each of which can do any of these jobs.
    ///
    /// # Panics
    ///
    /// When the system has no process left.
    ///
    /// # Safety
    ///
    /// This process has one thread only.
    #[must_use]
    pub(crate) unsafe fn processes(arena: &Arena, size: usize, jobs: &[&Prepare]) -> Self {
        let board: &Board = arena.take();
        let children = (0..size).map(|rank| {
            // SAFETY: no other thread could have left anything half-changed (caller's promise).
            let pid = unsafe { libc::fork() };
            assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
            if pid == 0 {
                die_with_parent();
                // Nothing above this frame is the child's to go on with.
                let failed = catch_unwind(AssertUnwindSafe(|| obey(board, rank, jobs))).is_err();
                // SAFETY: ends the process, and runs nothing that is the parent's to run.
                unsafe { libc::_exit(failed.into()) };
            }
            pid
        });
        Self { board, size, jobs: jobs.len(), children: children.collect() }
    }

    /// The same, of threads. They last as long as the process.
    #[must_use]
    pub(crate) fn threads(arena: &Arena, size: usize, jobs: &'static [&'static Prepare]) -> Self {
        let board: &Board = arena.take();
        for rank in 0..size {
            std::thread::spawn(move || obey(board, rank, jobs));
        }
        Self { board, size, jobs: jobs.len(), children: Vec::new() }
    }

    /// Has the first `parties` do that job; what each of them did.
    ///
    /// # Panics
    ///
    /// When a party fails, or they are not done after a minute.
    pub(crate) fn run(
        &self,
        job: usize,
        parties: usize,
        cpus: &[usize],
        count: Count,
        checked: bool,
    ) -> Vec<Tally> {
        self.start(job, parties, cpus, count, checked);
        if let Count::For(window) = count {
            std::thread::sleep(window);
        }
        self.stop()
    }

    /// The first half of [`run`](Self::run).
    pub(crate) fn start(
        &self,
        job: usize,
        parties: usize,
        cpus: &[usize],
        count: Count,
        checked: bool,
    ) {
        assert!(parties <= self.size);
        let board = self.board;
        board.job.store(job as u64, Ordering::Relaxed);
        board.parties.store(parties as u64, Ordering::Relaxed);
        board.checked.store(checked.into(), Ordering::Relaxed);
        board.stop.0.store(0, Ordering::Relaxed);
        board.ready.0.store(0, Ordering::Relaxed);
        board.finished.0.store(0, Ordering::Relaxed);
        let count = if let Count::Each(n) = count { n } else { u64::MAX };
        board.count.store(count, Ordering::Relaxed);
        for (rank, seat) in board.seats[..parties].iter().enumerate() {
            seat.cpu.store(cpus[rank % cpus.len()] as u64, Ordering::Relaxed);
            // Release: with the order comes all of the above.
            seat.order.fetch_add(1, Ordering::Release);
            wake(&seat.order);
        }
    }

    /// The second half of [`run`](Self::run): those who would go on are told to end.
    pub(crate) fn stop(&self) -> Vec<Tally> {
        let board = self.board;
        let parties = usize::try_from(board.parties.load(Ordering::Relaxed)).unwrap_or(MOST);
        if board.count.load(Ordering::Relaxed) == u64::MAX {
            board.stop.0.store(1, Ordering::Relaxed);
        }
        let start = Instant::now();
        loop {
            // Acquire pairs with the Release of each that finished.
            let finished = board.finished.0.load(Ordering::Acquire);
            if finished as usize == parties {
                break;
            }
            assert!(start.elapsed() < LIMIT, "job {} hangs", board.job.load(Ordering::Relaxed));
            assert!(!self.somebody_died(), "a party died");
            sleep_on(&board.finished.0, finished, Duration::from_millis(500));
        }
        let seats = board.seats[..parties].iter();
        seats
            .map(|seat| Tally {
                operations: seat.operations.load(Ordering::Relaxed),
                began: seat.began.load(Ordering::Relaxed),
                ended: seat.ended.load(Ordering::Relaxed),
            })
            .collect()
    }

    fn somebody_died(&self) -> bool {
        self.children.iter().any(|&pid| has_ended(pid, libc::WNOHANG))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // The end of the work: what rivals leave behind in files is theirs to remove.
        self.board.job.store(self.jobs as u64, Ordering::Relaxed);
        self.board.stop.0.store(1, Ordering::Relaxed);
        for seat in &self.board.seats {
            seat.order.fetch_add(1, Ordering::Release);
            wake(&seat.order);
        }
        let start = Instant::now();
        for &pid in &self.children {
            while start.elapsed() < Duration::from_secs(2) && !has_ended(pid, libc::WNOHANG) {
                std::thread::sleep(Duration::from_millis(1));
            }
            if !has_ended(pid, libc::WNOHANG) {
                // SAFETY: a child that is left unreaped; no memory is touched.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
        }
    }
}

/// Whether a child has ended, and is left to be asked again.
fn has_ended(pid: c_int, flags: c_int) -> bool {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let (id, flags) = (pid.unsigned_abs(), flags | libc::WEXITED | libc::WNOWAIT);
    // SAFETY: there is room for what the kernel writes.
    let r = unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), flags) };
    // SAFETY: zeroed, and filled by the call.
    let info = unsafe { info.assume_init() };
    r != 0 || info.si_signo != 0
}

/// A party's life, until it is told that there is no more to do.
fn obey(board: &'static Board, rank: usize, jobs: &[&Prepare]) {
    let seat = &board.seats[rank];
    let mut prepared: Vec<Option<Job>> = jobs.iter().map(|_| None).collect();
    let (mut seen, mut on) = (0, None);
    loop {
        // Acquire pairs with the Release of the order.
        let order = seat.order.load(Ordering::Acquire);
        if order == seen {
            sleep_on(&seat.order, seen, LIMIT);
            continue;
        }
        seen = order;
        let as_usize =
            |word: &AtomicU64| usize::try_from(word.load(Ordering::Relaxed)).unwrap_or(0);
        let cpu = as_usize(&seat.cpu);
        if on.replace(cpu) != Some(cpu) {
            pin(cpu);
        }
        let (job, parties) = (as_usize(&board.job), as_usize(&board.parties));
        if job == jobs.len() {
            return;
        }
        let count = board.count.load(Ordering::Relaxed);
        let run = Run {
            rank,
            parties,
            checked: board.checked.load(Ordering::Relaxed) != 0,
            count: (count != u64::MAX).then_some(count),
            stop: &board.stop.0,
        };
        let work = prepared[job].get_or_insert_with(|| jobs[job](rank));
        // All at once: nobody has the field to itself while others wake up.
        board.ready.0.fetch_add(1, Ordering::AcqRel);
        while (board.ready.0.load(Ordering::Acquire) as usize) < parties {
            std::thread::yield_now();
        }
        let began = now();
        let operations = work(&run);
        let ended = now();
        seat.operations.store(operations, Ordering::Relaxed);
        seat.began.store(began, Ordering::Relaxed);
        seat.ended.store(ended, Ordering::Relaxed);
        // Release: with the number come the results.
        if board.finished.0.fetch_add(1, Ordering::AcqRel) as usize + 1 == parties {
            wake(&board.finished.0);
        }
    }
}
