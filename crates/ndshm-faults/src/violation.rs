//! What must never happen, counted by whoever sees it.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// A kind of violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Somebody waited for longer than the limit.
    Hang,
    /// A completed turn is missing, or one is there that nobody took.
    Lost,
    /// A death with the thing held was not told, or a half-changed payload came without a warning.
    Torn,
    /// Somebody had what a living one had.
    Stolen,
    /// Anything else: a wrong name, a death told that was none, a process that failed.
    Other,
}

impl Violation {
    /// All, in the order of the table's columns.
    pub const ALL: [Self; 5] = [Self::Hang, Self::Lost, Self::Torn, Self::Stolen, Self::Other];
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hang => "hang",
            Self::Lost => "lost update",
            Self::Torn => "torn taken for clean",
            Self::Stolen => "stolen",
            Self::Other => "wrongly told",
        })
    }
}

/// How many of each there were since somebody last took the numbers.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Violations {
    new: [AtomicU64; Violation::ALL.len()],
    all: AtomicU64,
}

impl Violations {
    /// Violations of a worker that are described; the others are counted only.
    const DESCRIBED: u64 = 3;

    /// Counts it, and says on standard error what it was.
    pub(crate) fn report(&self, what: Violation, details: &str) {
        self.new[what as usize].fetch_add(1, SeqCst);
        if self.all.fetch_add(1, SeqCst) < Self::DESCRIBED {
            eprintln!("VIOLATION, {what}: {details}");
        }
    }

    pub(crate) fn take(&self) -> [u64; Violation::ALL.len()] {
        std::array::from_fn(|i| self.new[i].swap(0, SeqCst))
    }

    pub(crate) fn any(&self) -> bool {
        self.new.iter().any(|n| n.load(SeqCst) != 0)
    }
}
