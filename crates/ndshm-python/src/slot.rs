//! A handle on a primitive, which follows its process through forks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::room::{Primitive, Room};
use crate::wait::{SLICE, timeout};

/// What goes along where a thread lets go of the interpreter's lock and takes it again; and what one thread of this process took
/// and another may give back, as `threading` has it.
pub(crate) struct Moved<T>(pub(crate) T);

// SAFETY: guards of ndshm-sync are bound to their thread only so that a thread's own locks are told from others': words in
// shared memory name the process, and any of its threads may give back what it holds.
unsafe impl<T> Send for Moved<T> {}

/// A room, and what this handle holds there.
pub(crate) struct Slot<P, G> {
    /// Locked only while the interpreter's lock is held, and never over anything that lets go of that, so over no code of
    /// Python: no fork finds it locked, and no two threads wait for each other's lock.
    state: Mutex<State<P, G>>,
}

pub(crate) struct State<P, G> {
    // Dropped before the room that they refer to.
    held: Vec<Moved<G>>,
    room: Arc<Room<P>>,
}

impl<P: Primitive, G> Slot<P, G> {
    pub(crate) fn new(room: Arc<Room<P>>) -> Self {
        Self { state: Mutex::new(State { held: Vec::new(), room }) }
    }

    pub(crate) fn create(
        py: Python<'_>,
        count: usize,
        name: Option<String>,
        dir: Option<PathBuf>,
    ) -> PyResult<Self> {
        Room::create(py, count, name, dir).map(Self::new)
    }

    fn lock(&self) -> MutexGuard<'_, State<P, G>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, its room joined anew where this process was forked since; what the parent holds is the parent's.
    #[inline]
    fn mine(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, State<P, G>>> {
        let state = self.lock();
        if state.room.members.is_mine() {
            return Ok(state);
        }
        let parents = Arc::clone(&state.room);
        drop(state);
        // Not under the lock: an error of it is made by code of Python.
        let room = parents.anew(py)?;
        let mut state = self.lock();
        if !state.room.members.is_mine() {
            std::mem::take(&mut state.held).into_iter().for_each(std::mem::forget);
            std::mem::forget(std::mem::replace(&mut state.room, room));
        }
        Ok(state)
    }

    #[inline]
    pub(crate) fn room(&self, py: Python<'_>) -> PyResult<Arc<Room<P>>> {
        Ok(Arc::clone(&self.mine(py)?.room))
    }

    /// Has held what `attempt` gets at once; the error of one that gets nothing.
    #[inline]
    pub(crate) fn try_hold<E>(
        &self,
        py: Python<'_>,
        attempt: impl FnOnce(&P) -> Result<G, E>,
    ) -> PyResult<Result<(), E>> {
        let mut state = self.mine(py)?;
        Ok(attempt(&state.room.primitive).map(|guard| state.held.push(Moved(guard))))
    }

    #[inline]
    pub(crate) fn hold(&self, guard: G) {
        self.lock().held.push(Moved(guard));
    }

    /// The guard that was taken last.
    #[inline]
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Option<G>> {
        Ok(self.mine(py)?.held.pop().map(|guard| guard.0))
    }

    /// The guard of which that is true.
    pub(crate) fn take_where(&self, is_it: impl Fn(&G) -> bool) -> Option<G> {
        let mut state = self.lock();
        let at = state.held.iter().position(|guard| is_it(&guard.0))?;
        Some(state.held.swap_remove(at).0)
    }
}

/// Waits for something in slices, as long as no handler of a signal raises. `attempt` is given how long to wait; `None` from it is
/// "not yet".
pub(crate) fn in_slices<T>(
    py: Python<'_>,
    seconds: Option<f64>,
    attempt: impl Fn(Duration) -> Option<T>,
) -> PyResult<Option<T>> {
    let deadline = timeout(seconds)?.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map_or(SLICE, |at| at.saturating_duration_since(Instant::now()));
        let attempt = Moved(&attempt);
        let found = py.detach(move || {
            let attempt = attempt;
            Moved((attempt.0)(left.min(SLICE)))
        });
        if let Some(found) = found.0 {
            return Ok(Some(found));
        }
        py.check_signals()?;
        if left < SLICE {
            return Ok(None);
        }
    }
}

/// How long to wait, as `acquire(blocking, timeout)` says it; `Some(0.0)` is not at all.
pub(crate) fn patience(blocking: bool, timeout: Option<f64>) -> PyResult<Option<f64>> {
    match (blocking, timeout) {
        (false, Some(-1.0) | None) => Ok(Some(0.0)),
        (false, _) => Err(PyValueError::new_err("one that does not block has no time-out")),
        (true, Some(-1.0) | None) => Ok(None),
        (true, Some(seconds)) if seconds < 0.0 => {
            Err(PyValueError::new_err("a time-out is positive, or None for ever"))
        }
        (true, seconds) => Ok(seconds),
    }
}
