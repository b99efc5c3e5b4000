//! What each process of a job is at, in a file that outlives it.

use std::env;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::during::During;

/// Where the file is: told to the ranks, and by them to their workers.
pub(crate) const PATH: &str = "NDSHM_KILLS_DIARY";

/// A process, what it is at, how often it has begun something, whether it has failed.
const ENTRY: usize = 16;

/// Seats of the workers of a rank follow those of the ranks.
pub(crate) const RANKS: usize = 8;
pub(crate) const WORKERS: usize = 2;

/// The file.
pub(crate) struct Diary(File);

/// What stands there of one process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) pid: u32,
    pub(crate) at: Option<During>,
    pub(crate) begun: u32,
    /// Whether it has ended with an error of its own.
    pub(crate) failed: bool,
}

/// One process's own entry.
pub(crate) struct Seat {
    diary: Diary,
    seat: usize,
    begun: u32,
}

impl Diary {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.set_len(((RANKS * (1 + WORKERS)) * ENTRY) as u64)?;
        Ok(Self(file))
    }

    /// `None` while nobody has taken that seat.
    pub(crate) fn read(&self, seat: usize) -> io::Result<Option<Entry>> {
        let mut entry = [0; ENTRY];
        self.0.read_exact_at(&mut entry, (seat * ENTRY) as u64)?;
        let word = |i: usize| entry[i * 4..].first_chunk().map_or(0, |w| u32::from_ne_bytes(*w));
        let at = During::ALL.get(word(1) as usize).copied();
        Ok((word(0) != 0).then(|| Entry { pid: word(0), at, begun: word(2), failed: word(3) != 0 }))
    }

    /// All who have taken a seat.
    pub(crate) fn everybody(&self) -> io::Result<Vec<Entry>> {
        (0..RANKS * (1 + WORKERS)).filter_map(|seat| self.read(seat).transpose()).collect()
    }
}

/// The seat of a rank's worker.
pub(crate) const fn worker(rank: usize, worker: usize) -> usize {
    RANKS + rank * WORKERS + worker
}

/// The rank whose worker has that seat.
pub(crate) const fn rank_of(seat: usize) -> Option<usize> {
    match seat.checked_sub(RANKS) {
        Some(worker) => Some(worker / WORKERS),
        None => None,
    }
}

impl Seat {
    /// Takes a seat in the diary of this job.
    pub(crate) fn take(seat: usize) -> io::Result<Self> {
        let path = env::var_os(PATH).ok_or_else(|| io::Error::other("no diary"))?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { diary: Diary(file), seat, begun: 0 })
    }

    /// Notes what this process is about to do.
    pub(crate) fn begin(&mut self, what: During) -> io::Result<()> {
        self.begun += 1;
        self.note([std::process::id(), what as u32, self.begun, 0])
    }

    /// Notes that it ends with an error.
    pub(crate) fn fail(&self) -> io::Result<()> {
        self.note([std::process::id(), u32::MAX, self.begun, 1])
    }

    fn note(&self, words: [u32; ENTRY / 4]) -> io::Result<()> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.diary.0.write_all_at(&bytes, (self.seat * ENTRY) as u64)
    }
}
