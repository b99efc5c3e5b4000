//! Requests that are not complete yet, and what they have been lent.

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mpi::ffi::{self, MPI_Request, MPI_Status};

use super::{State, check, error, is_finalised, kinds};
use crate::error::Error;

/// Looks before the processor is offered to others.
const SPINS: u32 = 200;

/// A request that MPI has taken on.
#[derive(Debug)]
#[must_use = "what MPI was lent has to be kept until it is complete"]
pub(crate) struct Posted(pub(super) MPI_Request);

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status(Option<MPI_Status>);

impl Status {
    /// Whether a message without contents came.
    pub(crate) fn is_empty(&self) -> bool {
        let Some(status) = &self.0 else { return false };
        let mut count: c_int = 0;
        let byte = kinds::u8();
        // SAFETY: the status of a complete receive, a type, a place for a number.
        let told = unsafe { ffi::MPI_Get_count(status, byte, &raw mut count) };
        told == 0 && count == 0
    }
}

/// Requests, and what keeps the memory that they use: both until all are complete.
///
/// Dropping it waits for as long as `timeout` says; where that is not enough what it keeps is leaked, for MPI may still
/// write there (invariant 3 of the module). So it is where this value is forgotten.
#[derive(Debug)]
#[must_use = "dropping it waits"]
pub(crate) struct Flight<K> {
    requests: Vec<MPI_Request>,
    statuses: Vec<Status>,
    failed: Option<Error>,
    /// # Invariants
    ///
    /// 1. Taken or dropped only when no request is active.
    keep: ManuallyDrop<Option<K>>,
    timeout: Duration,
    state: Rc<State>,
}

impl<K> Flight<K> {
    /// Nothing under way yet, with what is to be lent.
    pub(super) fn new(keep: K, timeout: Duration, state: Rc<State>) -> Self {
        let keep = ManuallyDrop::new(Some(keep));
        Self { requests: Vec::new(), statuses: Vec::new(), failed: None, keep, timeout, state }
    }

    /// Addresses in what is to be lent, before anything is posted: it stays where it is.
    pub(crate) fn lent<P>(&mut self, places: impl FnOnce(&mut K) -> P) -> P {
        places(self.keep.as_mut().expect("nothing has landed yet"))
    }

    /// Adds a request that uses memory of what is kept. One that could not be posted fails the whole, when it lands.
    pub(crate) fn add(&mut self, posted: Result<Posted, Error>) {
        match posted {
            Ok(Posted(request)) => {
                self.requests.push(request);
                self.statuses.push(Status(None));
                self.state.add();
            }
            Err(e) => self.failed = self.failed.take().or(Some(e)),
        }
    }

    /// Lets MPI get on with it; `true` when all is complete.
    ///
    /// The two lists are as long as that of the requests.
    fn progress(
        &mut self,
        indices: &mut [c_int],
        statuses: &mut [MPI_Status],
    ) -> Result<(usize, bool), Error> {
        let n = self.requests.len();
        let mut done: c_int = 0;
        // SAFETY: lists of `n`, which MPI fills as far as it says in `done`.
        let code = unsafe {
            ffi::MPI_Testsome(
                n as c_int,
                self.requests.as_mut_ptr(),
                &raw mut done,
                indices.as_mut_ptr(),
                statuses.as_mut_ptr(),
            )
        };
        if code != ffi::MPI_ERR_IN_STATUS as c_int {
            check("MPI_Testsome", code)?;
        }
        if done == ffi::MPI_UNDEFINED {
            return Ok((0, true));
        }
        let done = usize::try_from(done).unwrap_or(0).min(n);
        self.state.landed(done);
        for (&index, status) in indices.iter().zip(&*statuses).take(done) {
            let failed = status.MPI_ERROR;
            if code == ffi::MPI_ERR_IN_STATUS as c_int && failed != 0 {
                self.failed = self.failed.take().or_else(|| Some(error("a message", failed)));
            }
            if let Some(place) = usize::try_from(index).ok().and_then(|i| self.statuses.get_mut(i))
            {
                *place = Status(Some(*status));
            }
        }
        Ok((done, false))
    }

    fn wait(&mut self) -> Result<(), Error> {
        if self.requests.is_empty() {
            return Ok(());
        }
        if is_finalised() {
            return Err(Error::Finalised);
        }
        let n = self.requests.len();
        let mut indices: Vec<c_int> = vec![0; n];
        // SAFETY: a status is plain numbers.
        let mut statuses: Vec<MPI_Status> = vec![unsafe { std::mem::zeroed() }; n];
        let (mut since, mut looks) = (Instant::now(), 0_u32);
        loop {
            let (done, all) = self.progress(&mut indices, &mut statuses)?;
            if all {
                self.requests.clear();
                return Ok(());
            }
            if done > 0 {
                (since, looks) = (Instant::now(), 0);
                continue;
            }
            looks = looks.saturating_add(1);
            if looks < SPINS {
                std::hint::spin_loop();
            } else if since.elapsed() >= self.timeout {
                return Err(Error::TimedOut { after: self.timeout });
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Waits until all is complete, for the time-out after each message that came: what was lent, and what came of each request, in the
    /// order in which they were added.
    ///
    /// # Errors
    ///
    /// What failed first, rather than that the rest did not come for that. Nothing is posted any more on communicators that failed.
    pub(crate) fn land(mut self) -> Result<(K, Vec<Status>), Error> {
        let waited = self.wait();
        if waited.is_err() {
            // Once is enough: what is not complete now is leaked.
            self.timeout = Duration::ZERO;
        }
        let failed = self.failed.take().map_or(waited, Err);
        if let Err(e) = failed {
            self.state.note(&e);
            return Err(e);
        }
        match self.keep.take() {
            Some(keep) => Ok((keep, std::mem::take(&mut self.statuses))),
            None => unreachable!("a flight lands once"),
        }
    }
}

impl<K> Drop for Flight<K> {
    fn drop(&mut self) {
        match self.wait() {
            // SAFETY: no request is active (invariant 1), and the value is not used after.
            Ok(()) => unsafe { ManuallyDrop::drop(&mut self.keep) },
            Err(e) => self.state.note(&e),
        }
    }
}
