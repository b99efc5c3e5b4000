//! Where the ranks of one node meet: a barrier, what went wrong at any of them, numbers to be combined.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::told::{MOST, Told};
use bytemuck::{Pod, Zeroable};
use ndshm_buffer::{BufferHandle, SharedBuffer, TYPED_MAGIC};
use ndshm_sync::{
    Barrier, BarrierCell, BarrierError, LockError, Members, Mutex, MutexCell, MutexGuard, Party,
    Region,
};

/// What ends the segment, and keeps safe code from opening it as raw bytes.
const FOOTER_LEN: usize = 64;

/// What went wrong in the meeting of that number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Note {
    meeting: u64,
    len: u64,
    told: [u8; MOST],
}

/// What a rank puts down for others: any element that is combined.
pub(super) type Cell = [u64; 2];

pub(super) type Anything = Box<dyn std::error::Error + Send + Sync>;

/// Everything that the segment of a node is used for, as one of its ranks sees it.
pub(super) struct Meeting {
    /// # Invariants
    ///
    /// 1. These refer to `members`, which its `Arc` keeps in place; lent out only while `self` is borrowed, and
    ///    dropped before it: fields are dropped in order.
    party: Party<'static>,
    notes: [Mutex<'static, Note>; 2],
    /// Who gave up waiting says here for whom, for those that come later.
    last: Mutex<'static, Note>,
    cells: Vec<Mutex<'static, Cell>>,
    /// # Invariants
    ///
    /// 1. Their region lies in the mapping of `segment`, which is dropped after them.
    members: Arc<Members<'static>>,
    segment: SharedBuffer,
    /// How often they have met: the number of the meeting that is to come.
    ///
    /// A note of it is put down before, and read after. There are two, in turns: who puts one down for the next but one
    /// has met all others in between, who have read this one by then.
    number: u64,
    timeout: Duration,
}

fn len(size: usize) -> usize {
    let barrier = (size + 1) * size_of::<BarrierCell>();
    let mutexes = 3 * size_of::<MutexCell<Note>>() + (size + 1) * size_of::<MutexCell<Cell>>();
    Members::SIZE + barrier + mutexes + FOOTER_LEN
}

/// The segment for a node of that size.
pub(super) fn create(size: usize) -> Result<SharedBuffer, Anything> {
    let len = len(size);
    let segment = SharedBuffer::options().anonymous_with(len, |bytes| {
        bytes[len - FOOTER_LEN..][..TYPED_MAGIC.len()].copy_from_slice(&TYPED_MAGIC);
    })?;
    Ok(segment)
}

/// The same at another rank of the node, by what its leader has sent.
pub(super) fn open(handle: &[u8], size: usize) -> Result<SharedBuffer, Anything> {
    let handle: BufferHandle = postcard::from_bytes(handle)?;
    // SAFETY: all ranks of the node use it through `Meeting` alone.
    let segment = unsafe { SharedBuffer::options().open_handle_typed(&handle) }?;
    if segment.len() != len(size) {
        return Err(format!("its memory is not that of a node of {size} ranks").into());
    }
    Ok(segment)
}

pub(super) fn handle(segment: &SharedBuffer) -> Result<Vec<u8>, Anything> {
    Ok(postcard::to_stdvec(&segment.handle())?)
}

impl Note {
    /// What was put down for that meeting before stays.
    fn fill(&mut self, meeting: u64, told: &Told) {
        if self.meeting == meeting {
            return;
        }
        let bytes = told.encoded();
        let len = bytes.len().min(MOST);
        (self.meeting, self.len) = (meeting, len as u64);
        self.told[..len].copy_from_slice(&bytes[..len]);
    }

    fn read(&self, meeting: u64) -> Option<Told> {
        let len = usize::try_from(self.len).unwrap_or(0).min(MOST);
        (self.meeting == meeting).then(|| Told::decoded(&self.told[..len]))
    }
}

impl Meeting {
    /// Joins as that rank of the node, which is that one of the job.
    pub(super) fn join(
        segment: SharedBuffer,
        size: usize,
        (rank, of_job): (usize, usize),
        timeout: Duration,
    ) -> Result<Self, Anything> {
        // SAFETY: `segment` keeps its bytes mapped, shared and writable, while it is borrowed; it is sealed against
        // truncation and was zero when made, but for the footer, which is left out. Only ranks of this node have it,
        // and all of them use it through this function.
        let region =
            unsafe { Region::new(segment.base(), segment.len() - FOOTER_LEN, segment.as_fd()) };
        // SAFETY: only its lifetime changes; it is kept beside `segment` (invariant 1 of `members`).
        let region = unsafe { std::mem::transmute::<Region<'_>, Region<'static>>(region) };
        let members = Arc::new(Members::join_as(region, u32::try_from(of_job)?)?);
        // SAFETY: the `Arc` is kept beside what refers to it, and never moves what is in it (invariant 1 of `party`).
        let settled: &'static Members<'static> = unsafe { &*Arc::as_ptr(&members) };
        let mut layout = settled.layout();
        let barrier: Barrier<'static> = layout.barrier(size)?;
        let notes = [layout.mutex(Note::zeroed())?, layout.mutex(Note::zeroed())?];
        let last = layout.mutex(Note::zeroed())?;
        let cells = (0..=size).map(|_| layout.mutex(Cell::default())).collect::<Result<_, _>>()?;
        let party = barrier.join(rank)?;
        Ok(Self { party, notes, last, cells, members, segment, number: 1, timeout })
    }

    /// Puts down what went wrong, for the meeting to come; what was put down for it before stays.
    pub(super) fn note(&self, told: &Told) -> Result<(), BarrierError> {
        self.lock(&self.notes[self.turn()])?.fill(self.number, told);
        Ok(())
    }

    /// Meets the others, for so many time-outs, and tells what any of them has put down.
    pub(super) fn meet(&mut self, steps: u32) -> Result<Option<Told>, BarrierError> {
        self.party.wait_timeout(self.timeout.saturating_mul(steps))?;
        let (turn, number) = (self.turn(), self.number);
        self.number += 1;
        Ok(self.lock(&self.notes[turn])?.read(number))
    }

    /// Puts down for whom this rank has given up waiting, which has broken the barrier.
    pub(super) fn give_up(&self, told: &Told) {
        // Where it cannot be told they take it from the barrier.
        if let Ok(mut last) = self.lock(&self.last) {
            last.fill(1, told);
        }
    }

    /// For whom another rank has given up waiting. It says so right after it has broken the barrier: looks as often as
    /// asked, a millisecond apart.
    pub(super) fn given_up(&self, looks: u32) -> Option<Told> {
        (0..looks).find_map(|look| {
            std::thread::sleep(Duration::from_millis(u64::from(look > 0)));
            self.lock(&self.last).ok()?.read(1)
        })
    }

    fn turn(&self) -> usize {
        (self.number % 2) as usize
    }

    /// Puts down a value in the cell of that number: one for each rank, and one more.
    pub(super) fn put(&self, cell: usize, value: Cell) -> Result<(), BarrierError> {
        *self.lock(&self.cells[cell])? = value;
        Ok(())
    }

    pub(super) fn get(&self, cell: usize) -> Result<Cell, BarrierError> {
        Ok(*self.lock(&self.cells[cell])?)
    }

    /// Whatever a death has left in there: the barrier tells of it, and each value is written whole before the next meeting.
    fn lock<T: Pod>(
        &self,
        mutex: &Mutex<'static, T>,
    ) -> Result<MutexGuard<'static, T>, BarrierError> {
        match mutex.lock_timeout(self.timeout) {
            Ok(guard) => Ok(guard),
            Err(LockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(LockError::Forked) => Err(BarrierError::Forked),
            // Held for some nanoseconds at a time: its holder was stopped.
            Err(_) => Err(BarrierError::TimedOut { missing: Vec::new() }),
        }
    }
}

impl std::fmt::Debug for Meeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, members, segment, .. } = self;
        f.debug_struct("Meeting")
            .field("number", number)
            .field("members", members)
            .field("segment", segment)
            .finish_non_exhaustive()
    }
}
