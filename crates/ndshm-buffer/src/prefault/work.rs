//! The work itself: block by block, shared among threads.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use super::options::{Kind, Placement, Prefault};
use super::purse::Purse;
use super::report::{Placed, Prefaulted};
use crate::sys::{self, BLOCK, Region};

/// What a thread takes at a time: few enough blocks that all end together, many enough that taking costs nothing.
const CHUNK: usize = 8 * BLOCK;

/// Memory to be got for a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) region: &'a Region,
    pub(crate) writable: bool,
    /// The file, where it has no pages yet. Not one is left without when the job is done.
    pub(crate) reserve: Option<BorrowedFd<'a>>,
    pub(crate) prefault: &'a Prefault,
}

/// Why it was not got.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: &'static str,
    pub(crate) source: io::Error,
}

impl Job<'_> {
    /// Does these bytes of the segment.
    ///
    /// # Panics
    ///
    /// Where the progress callback does.
    pub(crate) fn run(&self, bytes: Range<usize>) -> Result<Prefaulted, Failure> {
        if let (true, Some(fd)) = (self.prefault.is_plain(), self.reserve) {
            // Nothing to share out, and most segments are small: threads and their locks would take as long.
            return reserve(fd, &bytes).map(|()| Prefaulted::reserved(bytes.len()));
        }
        let (nodes, placed) = self.nodes();
        self.run_on(nodes, placed, bytes)
    }

    /// The same with nodes that were found already.
    fn run_on(
        &self,
        nodes: Vec<usize>,
        placed: Placed,
        bytes: Range<usize>,
    ) -> Result<Prefaulted, Failure> {
        let work = Work {
            job: *self,
            nodes,
            // Pages that are there stay as they are: to make a huge one of them takes a copy, and longer than it saves.
            small: match self.prefault.kind {
                Kind::Huge if self.reserve.is_some() => sys::time_of_small_pages(),
                _ => None,
            },
            total: bytes.len() as u64,
            done: Mutex::new(0),
        };
        // The last block comes last. As a huge page it takes more than its share, which others must not lack.
        let whole = bytes.start.max(bytes.end - bytes.end % BLOCK);
        let mut got = work.share(bytes.start..whole)?;
        got.add(&work.share(whole..bytes.end)?);
        if got.placed != Placed::Unsupported {
            got.placed = placed;
        }
        Ok(got)
    }

    /// The nodes to choose from; none where there is nothing to choose.
    fn nodes(&self) -> (Vec<usize>, Placed) {
        if self.prefault.placement == Placement::FirstTouch {
            return (Vec::new(), Placed::AsTouched);
        }
        let nodes = sys::memory_nodes();
        match nodes.len() {
            0 => (nodes, Placed::Unsupported),
            1 => (Vec::new(), Placed::OneNode),
            count => (nodes, Placed::Nodes(count)),
        }
    }
}

fn reserve(fd: BorrowedFd<'_>, bytes: &Range<usize>) -> Result<(), Failure> {
    sys::reserve(fd, bytes).map_err(|source| Failure { step: "reserve it", source })
}

/// A job under way.
struct Work<'a> {
    job: Job<'a>,
    /// Empty where pages come from wherever the thread runs.
    nodes: Vec<usize>,
    /// How long a block takes in small pages; `None` where huge ones are not to be tried for.
    small: Option<Duration>,
    total: u64,
    done: Mutex<u64>,
}

/// What the threads of one share have in common.
struct Share {
    bytes: Range<usize>,
    next: AtomicUsize,
    failure: Mutex<Option<Failure>>,
}

impl Work<'_> {
    /// Does these bytes with as many threads as were asked for.
    fn share(&self, bytes: Range<usize>) -> Result<Prefaulted, Failure> {
        let chunks = bytes.end.div_ceil(CHUNK).saturating_sub(bytes.start / CHUNK);
        let share =
            Share { next: AtomicUsize::new(bytes.start / CHUNK), bytes, failure: Mutex::new(None) };
        let threads = match self.job.prefault.kind {
            // The kernel reserves for one at a time, under the lock of the file.
            Kind::None => 1,
            Kind::Pages | Kind::Huge => self.job.prefault.threads.clamp(1, chunks.max(1)),
        };
        // A preference for a node ends with its thread: the calling one shall not have it.
        let placing = !self.nodes.is_empty();
        let spawned = if placing { threads } else { threads - 1 };
        let got = thread::scope(|scope| {
            let spawn =
                || thread::Builder::new().spawn_scoped(scope, || self.work(&share, placing));
            let others: Vec<ScopedJoinHandle<'_, _>> =
                (0..spawned).map_while(|_| spawn().ok()).collect();
            let mut got = Prefaulted::default();
            if others.is_empty() || !placing {
                got = self.work(&share, false);
            }
            if placing && others.is_empty() {
                got.placed = Placed::Unsupported;
            }
            for other in others {
                match other.join() {
                    Ok(part) => got.add(&part),
                    // The progress callback's: nothing else panics.
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            got
        });
        let failure = share.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(got), Err)
    }

    /// What one thread does: chunk after chunk, until there is none or one has failed.
    fn work(&self, share: &Share, placing: bool) -> Prefaulted {
        let mut purse = self.small.map(Purse::new);
        let mut got = Prefaulted::default();
        loop {
            let start = share.next.fetch_add(1, Ordering::Relaxed).saturating_mul(CHUNK);
            let chunk =
                start.max(share.bytes.start)..(start.saturating_add(CHUNK)).min(share.bytes.end);
            if chunk.is_empty() || lock(&share.failure).is_some() {
                return got;
            }
            match self.chunk(chunk.clone(), &mut purse, placing) {
                Ok(part) => got.add(&part),
                Err(failure) => {
                    lock(&share.failure).get_or_insert(failure);
                    return got;
                }
            }
            self.report(chunk.len());
        }
    }

    fn chunk(
        &self,
        chunk: Range<usize>,
        purse: &mut Option<Purse>,
        placing: bool,
    ) -> Result<Prefaulted, Failure> {
        let mut got = Prefaulted::default();
        let mut at = chunk.start;
        while at < chunk.end {
            let block = at..(at - at % BLOCK + BLOCK).min(chunk.end);
            at = block.end;
            if placing && sys::prefer_node(self.node_of(block.start)).is_err() {
                got.placed = Placed::Unsupported;
            }
            let len = block.len() as u64;
            match self.job.prefault.kind {
                Kind::None => {
                    self.reserve(&block)?;
                    got.reserved += len;
                }
                Kind::Pages | Kind::Huge => {
                    let huge = self.fault(&block, purse)?;
                    *(if huge { &mut got.huge } else { &mut got.small }) += len;
                }
            }
        }
        Ok(got)
    }

    /// Has the pages of one block in the page tables; true where they are a huge one.
    fn fault(&self, block: &Range<usize>, purse: &mut Option<Purse>) -> Result<bool, Failure> {
        let Some(purse) = purse.as_mut().filter(|_| self.can_be_huge(block)) else {
            self.pages(block)?;
            return Ok(false);
        };
        let before = sys::busy_time();
        let tried = self.job.prefault.insist || purse.has_money();
        let huge = tried && self.huge(block)?;
        if huge {
            self.populate(block)?;
        } else {
            // The whole of it, after a failure as well: a block that was only begun is a fault to come.
            self.pages(block)?;
        }
        let took = sys::busy_time().saturating_sub(before);
        if tried {
            purse.tried(took)
        } else {
            purse.small(took)
        }
        Ok(huge)
    }

    /// A block that lies whole in what was asked for, or to the end of the file and is worth it.
    fn can_be_huge(&self, block: &Range<usize>) -> bool {
        let len = self.job.region.len();
        let full = block.len() == BLOCK;
        let last =
            block.end == len && block.len() >= BLOCK / 2 && block.start.is_multiple_of(BLOCK);
        len >= BLOCK && (full || last)
    }

    fn huge(&self, block: &Range<usize>) -> Result<bool, Failure> {
        // The kernel takes a block without any page for one that was cut off. One page is enough, and the less there
        // is, the less it copies.
        self.reserve(&(block.start..block.start + 1))?;
        Ok(sys::collapse(self.job.region, block.start / BLOCK))
    }

    fn pages(&self, block: &Range<usize>) -> Result<(), Failure> {
        self.reserve(block)?;
        self.populate(block)
    }

    fn populate(&self, block: &Range<usize>) -> Result<(), Failure> {
        sys::populate(self.job.region, block, self.job.writable)
            .map_err(|source| Failure { step: "fill its page tables", source })
    }

    fn reserve(&self, block: &Range<usize>) -> Result<(), Failure> {
        self.job.reserve.map_or(Ok(()), |fd| reserve(fd, block))
    }

    /// The node for the block that begins there.
    fn node_of(&self, start: usize) -> usize {
        let (count, len) = (self.nodes.len(), self.job.region.len());
        let index = match self.job.prefault.placement {
            Placement::FirstTouch => 0,
            Placement::Interleave => start / BLOCK % count,
            Placement::Bands(bands) => {
                let bands = bands.max(1);
                let band = start / len.div_ceil(bands);
                band * count / bands
            }
        };
        self.nodes[index.min(count - 1)]
    }

    fn report(&self, len: usize) {
        let Some(report) = &self.job.prefault.progress else { return };
        let mut done = lock(&self.done);
        *done += len as u64;
        report(*done, self.total);
    }
}

/// A panic of the callback leaves what is locked whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use super::*;

    fn unreserved(len: usize) -> (OwnedFd, Region) {
        let fd = sys::create_anonymous().unwrap();
        sys::set_length(fd.as_fd(), len as u64).unwrap();
        let region = Region::map(fd.as_fd(), len, true).unwrap();
        (fd, region)
    }

    #[test]
    fn blocks_go_to_nodes_in_turn_or_in_bands() {
        let (_fd, region) = unreserved(8 * BLOCK + 5);
        let nodes = |placement, nodes: &[usize]| {
            let prefault = Prefault::huge().placement(placement);
            let job = Job { region: &region, writable: true, reserve: None, prefault: &prefault };
            let work =
                Work { job, nodes: nodes.into(), small: None, total: 0, done: Mutex::new(0) };
            (0..9).map(|block| work.node_of(block * BLOCK)).collect::<Vec<_>>()
        };
        assert_eq!(nodes(Placement::Interleave, &[1, 3]), [1, 3, 1, 3, 1, 3, 1, 3, 1]);
        assert_eq!(nodes(Placement::Bands(2), &[1, 3]), [1, 1, 1, 1, 1, 3, 3, 3, 3]);
        assert_eq!(nodes(Placement::Bands(4), &[1, 3]), [1, 1, 1, 1, 1, 3, 3, 3, 3]);
        assert_eq!(nodes(Placement::Bands(2), &[0, 1, 2]), [0, 0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(nodes(Placement::Bands(0), &[1, 3]), [1; 9]);
    }

    #[test]
    fn pages_are_got_from_chosen_nodes() {
        let Some(&node) = sys::memory_nodes().first() else {
            return ndshm_testkit::skip("memory nodes", "the kernel does not name them");
        };
        for kind in [Prefault::none(), Prefault::pages(), Prefault::huge().threads(2)] {
            let len = 20 * BLOCK + BLOCK / 4;
            let (fd, region) = unreserved(len);
            let prefault = kind.placement(Placement::Interleave);
            let job = Job {
                region: &region,
                writable: true,
                reserve: Some(fd.as_fd()),
                prefault: &prefault,
            };
            // Where the machine has one node, it is taken for two.
            let got = job.run_on(vec![node; 2], Placed::Nodes(2), 0..len).unwrap();
            assert_eq!(got.huge + got.small + got.reserved, len as u64);
            match got.placed {
                Placed::Nodes(2) => {}
                Placed::Unsupported => ndshm_testkit::skip("memory nodes", "not to be chosen"),
                other => panic!("{other:?}"),
            }
        }
    }
}
