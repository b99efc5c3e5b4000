//! Barriers: of any processes and threads, and of the group that a launcher made.

use std::path::PathBuf;
use std::thread::ThreadId;

use ndshm_sync::{Absence, Barrier, BarrierCell, BarrierError, Layout, LayoutError, Party};
use ndshm_workers::Worker;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::locks::handles;
use crate::room::{Primitive, Room};
use crate::slot::{Moved, Slot};
use crate::wait::{Signals, timeout};

impl Primitive for Barrier<'static> {
    const COUNTED: bool = true;

    fn len(parties: usize) -> usize {
        parties.saturating_add(1).saturating_mul(size_of::<BarrierCell>())
    }

    fn place(mut layout: Layout<'static>, parties: usize) -> Result<Self, LayoutError> {
        layout.barrier(parties)
    }
}

/// A party of this process; of which thread, and whether that asked for the rank.
pub(crate) struct Seat {
    thread: ThreadId,
    /// `None` once it has left.
    party: Option<Party<'static>>,
    asked: bool,
    barrier: Barrier<'static>,
}

impl Drop for Seat {
    /// A place that nobody asked for is another's to take, as the next to come is any for `threading.Barrier`. Who asked for a rank is missed.
    fn drop(&mut self) {
        if let Some(party) = self.party.take_if(|_| !self.asked) {
            let rank = party.rank();
            std::mem::forget(party);
            self.barrier.vacate(rank);
        }
    }
}

#[pyclass(frozen, subclass, name = "Barrier", module = "ndshm._ndshm")]
pub(crate) struct PyBarrier(Slot<Barrier<'static>, Seat>);

handles!(PyBarrier, usize);

impl PyBarrier {
    /// A place for the calling thread: its own; one of this process where nobody waits; the first that nobody living has; one that another
    /// thread asked for.
    fn seat(&self, py: Python<'_>) -> PyResult<Seat> {
        let (room, me) = (self.0.room(py)?, std::thread::current().id());
        let ours = self.0.take_where(|seat| seat.thread == me);
        if let Some(mut seat) = ours.or_else(|| self.0.take_where(|seat| !seat.asked)) {
            seat.thread = me;
            return Ok(seat);
        }
        let mut joined = room.primitive.join(0);
        for rank in 1..room.count() {
            if !matches!(joined, Err(BarrierError::RankTaken { .. })) {
                break;
            }
            joined = room.primitive.join(rank);
        }
        match joined {
            Ok(party) => {
                Ok(Seat { thread: me, party: Some(party), asked: false, barrier: room.primitive })
            }
            Err(e) => self.0.take_where(|_| true).ok_or_else(|| broken(py, e)),
        }
    }
}

/// Why a barrier was not passed.
fn broken(py: Python<'_>, e: BarrierError) -> PyErr {
    let text = e.to_string();
    match e {
        BarrierError::Broken { lost } => errors::raise(py, "BrokenBarrier", text, |attrs| {
            let mut all = Vec::new();
            for one in &lost {
                let member = one.member.map(|member| errors::who(py, member)).transpose()?;
                all.push((one.rank, one.why.to_string(), member.map(Bound::unbind)));
            }
            attrs.set_item("lost", all)?;
            let by = lost.iter().find_map(|one| one.member).map(|member| errors::who(py, member));
            attrs.set_item("by", by.transpose()?)
        }),
        BarrierError::TimedOut { missing } => errors::raise(py, "BrokenBarrier", text, |attrs| {
            let lost: Vec<_> =
                missing.iter().map(|rank| (*rank, "is missing", py.None())).collect();
            attrs.set_item("lost", lost)
        }),
        _ => errors::plain(py, "Error", text),
    }
}

#[pymethods]
impl PyBarrier {
    #[staticmethod]
    fn _create(
        py: Python<'_>,
        parties: usize,
        name: Option<String>,
        dir: Option<PathBuf>,
    ) -> PyResult<Self> {
        Slot::create(py, parties, name, dir).map(Self)
    }

    /// How many have to come.
    #[getter]
    fn parties(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.0.room(py)?.count())
    }

    /// Whether somebody will not come, or gave up.
    #[getter]
    fn broken(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.0.room(py)?.primitive.is_broken())
    }

    /// Makes the calling thread the party of that rank: who waits for it is told where it ends. Without it, `wait` takes the first that nobody
    /// living has.
    fn join(&self, py: Python<'_>, rank: usize) -> PyResult<()> {
        let (room, thread) = (self.0.room(py)?, std::thread::current().id());
        let party = room.primitive.join(rank).map_err(|e| broken(py, e))?;
        drop(self.0.take_where(|seat| seat.thread == thread));
        self.0.hold(Seat { thread, party: Some(party), asked: true, barrier: room.primitive });
        Ok(())
    }

    /// At the end of this process: gives up its places that nobody asked for, or, where it failed, has them missed.
    fn _end(&self, failed: bool) {
        while let Some(mut seat) = self.0.take_where(|seat| !seat.asked) {
            seat.asked = failed;
        }
    }

    /// Says that nobody of that rank will come: by one that knows it ended.
    fn withdraw(&self, py: Python<'_>, rank: usize) -> PyResult<()> {
        self.0.room(py)?.primitive.withdraw(rank, Absence::Died);
        Ok(())
    }

    /// Waits until all have come, and returns this one's rank.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<usize> {
        let patience = crate::wait::timeout(timeout)?;
        let mut seat = self.seat(py)?;
        let party = seat.party.as_mut().expect("only `abort` takes it, and keeps it");
        let rank = party.rank();
        let signals = Signals::default();
        let moved = Moved((party, &signals));
        let result = py.detach(move || {
            let moved = moved;
            let (party, signals) = moved.0;
            party.wait_while(patience, || signals.goes_on()).map(drop)
        });
        self.0.hold(seat);
        // Also where all had come meanwhile.
        signals.raised()?;
        result.map(|()| rank).map_err(|e| broken(py, e))
    }

    /// Breaks it for those who wait: this thread will not come.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        // Not given up: missed.
        drop(self.seat(py)?.party.take());
        Ok(())
    }

    /// Makes a broken one whole, for those who come from now on.
    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        self.0.room(py)?.primitive.reset();
        Ok(())
    }
}

/// This process's place in the group that `ndshm run` made; alone without one.
#[pyclass(frozen, name = "Member", module = "ndshm._ndshm")]
pub(crate) struct Launched(Worker);

#[pymethods]
impl Launched {
    #[staticmethod]
    fn from_env(py: Python<'_>) -> PyResult<Self> {
        Worker::from_env().map(Self).map_err(|e| errors::plain(py, "Error", e))
    }

    #[getter]
    fn rank(&self) -> usize {
        self.0.rank()
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }

    #[pyo3(signature = (seconds=None))]
    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        let patience = timeout(seconds)?;
        let signals = Signals::default();
        let moved = Moved(&signals);
        let result = py.detach(move || {
            let signals = moved;
            self.0.barrier_while(patience, || signals.0.goes_on())
        });
        // Also where all had come meanwhile.
        signals.raised()?;
        result.map(|met| met.is_leader()).map_err(|e| broken(py, e))
    }
}

/// Says which rank this process has, before anything is opened: errors elsewhere then name it.
#[pyfunction]
pub(crate) fn set_rank(rank: u32) {
    ndshm_array::set_rank(rank);
}
